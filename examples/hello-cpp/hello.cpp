// curl -H 'X-Name: Ada' http://127.0.0.1:3000/hello-cpp
//
// A module in C++17 that needs only fezz.h and fezz_cbor.h. No exception may leave fezz_handle_v2: one that is caught there
// becomes a failure, which the host answers by 500 and whose text it logs.
#include "fezz_cbor.h"

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

std::string greeting(std::string_view name) {
    if (name.empty())
        throw std::invalid_argument("the header X-Name is empty");
    return "Hello, " + std::string(name) + ", from C++!\n";
}

FezzOwned answer(FezzSlice message) {
    FezzRequest request;
    if (FezzStatus status = fezz_request_read(message, &request); status != FEZZ_OK)
        throw std::runtime_error(fezz_status_text(status));
    FezzSlice name = fezz_text("world");
    fezz_request_header(&request, "x-name", &name);
    std::string body = greeting({reinterpret_cast<const char *>(name.ptr), name.len});

    FezzResponse response = fezz_response(200);
    fezz_response_header(&response, "content-type", "text/plain");
    fezz_response_body(&response, {reinterpret_cast<const uint8_t *>(body.data()), body.size()});
    return fezz_response_end(&response);
}

} // namespace

extern "C" FezzOwned fezz_handle_v2(FezzSlice message) {
    try {
        return answer(message);
    } catch (const std::exception &error) {
        return fezz_failure(error.what());
    } catch (...) {
        return fezz_failure("an exception that is no std::exception");
    }
}

extern "C" void fezz_free_v2(FezzOwned buffer) {
    std::free(buffer.ptr);
}
