// curl -H 'X-Name: Ada' http://127.0.0.1:3000/hello-zig
//! A module in Zig, by the C headers fezz.h and fezz_cbor.h. It greets by the header X-Name.

const fezz = @import("fezz_cbor");

export fn fezz_handle_v2(message: fezz.FezzSlice) fezz.FezzOwned {
    var request: fezz.FezzRequest = undefined;
    const status = fezz.fezz_request_read(message, &request);
    if (status != fezz.FEZZ_OK) return fezz.fezz_failure(fezz.fezz_status_text(status));
    var name = fezz.fezz_text("world");
    _ = fezz.fezz_request_header(&request, "x-name", &name);

    var response = fezz.fezz_response(200);
    fezz.fezz_response_header(&response, "content-type", "text/plain");
    fezz.fezz_response_text(&response, "Hello, ");
    fezz.fezz_response_body(&response, name);
    fezz.fezz_response_text(&response, ", from Zig!\n");
    return fezz.fezz_response_end(&response);
}

export fn fezz_free_v2(buffer: fezz.FezzOwned) void {
    fezz.free(buffer.ptr);
}
