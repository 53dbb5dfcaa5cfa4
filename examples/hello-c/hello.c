/* curl -H 'X-Name: Ada' http://127.0.0.1:3000/hello-c
 *
 * A module in plain C that needs only fezz.h and fezz_cbor.h. It greets by the header X-Name.
 */
#include "fezz_cbor.h"

FezzOwned fezz_handle_v2(FezzSlice message) {
    FezzRequest request;
    FezzStatus status = fezz_request_read(message, &request);
    if (status != FEZZ_OK)
        return fezz_failure(fezz_status_text(status));
    FezzSlice name = fezz_text("world");
    fezz_request_header(&request, "x-name", &name);

    FezzResponse response = fezz_response(200);
    fezz_response_header(&response, "content-type", "text/plain");
    fezz_response_text(&response, "Hello, ");
    fezz_response_body(&response, name);
    fezz_response_text(&response, ", from C!\n");
    return fezz_response_end(&response);
}

void fezz_free_v2(FezzOwned buffer) {
    free(buffer.ptr);
}
