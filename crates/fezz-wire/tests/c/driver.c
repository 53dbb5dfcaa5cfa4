/* Drives fezz_cbor.h for tests/cbor_header.rs. stdin: messages, each after its length in 4 bytes, big-endian. stdout: a
 * line for each. With the argument `load` they are contexts of fezz_on_load_v2, else requests. With `memory N` the Nth
 * allocation fails, and one response is written. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int allocations_left = -1;

static void *limited_realloc(void *ptr, size_t bytes) {
    if (allocations_left == 0)
        return NULL;
    if (allocations_left > 0)
        allocations_left--;
    return realloc(ptr, bytes);
}

#define FEZZ_REALLOC limited_realloc
#define FEZZ_FREE free
#include "fezz_cbor.h"

static void print_hex(FezzSlice bytes) {
    size_t index;
    putchar(bytes.ptr == NULL ? '-' : '.');
    for (index = 0; index < bytes.len; index++)
        printf("%02x", bytes.ptr[index]);
    putchar(' ');
}

static void print_pairs(FezzSlice all) {
    FezzPairs pairs = fezz_pairs(all);
    FezzSlice name, value;
    while (fezz_next(&pairs, &name, &value)) {
        print_hex(name);
        print_hex(value);
    }
    printf("| ");
}

static void print_owned(FezzOwned owned) {
    FezzSlice bytes;
    bytes.ptr = owned.ptr;
    bytes.len = owned.len;
    print_hex(bytes);
    free(owned.ptr);
}

/* A response with the request's deadline as status, its headers, and its body in two pieces. */
static FezzOwned echo(const FezzRequest *request) {
    FezzResponse response = fezz_response((unsigned)request->deadline_ms);
    FezzPairs headers = fezz_pairs(request->headers);
    FezzSlice name, value, half = request->body, rest = request->body;
    while (fezz_next(&headers, &name, &value))
        fezz_response_header_bytes(&response, name, value);
    half.len /= 2;
    rest.ptr += half.len;
    rest.len -= half.len;
    fezz_response_body(&response, half);
    fezz_response_body(&response, rest);
    return fezz_response_end(&response);
}

static void request(FezzSlice message) {
    FezzRequest request;
    FezzSlice found = {NULL, 0};
    FezzStatus status = fezz_request_read(message, &request);
    printf("%d ", (int)status);
    if (status == FEZZ_OK) {
        print_hex(request.method);
        print_hex(request.uri);
        print_hex(request.authority);
        print_hex(request.scheme);
        print_hex(request.body);
        print_hex(request.request_id);
        print_hex(request.function);
        print_hex(request.version);
        print_hex(request.client_ip);
        print_hex(request.original_uri);
        printf("%llu ", (unsigned long long)request.deadline_ms);
        print_pairs(request.headers);
        print_pairs(request.params);
        fezz_request_header(&request, "X-Name", &found);
        print_hex(found);
        found.ptr = NULL;
        found.len = 0;
        fezz_request_param(&request, "id", &found);
        print_hex(found);
        print_owned(echo(&request));
    }
    putchar('\n');
}

static void load_context(FezzSlice message) {
    FezzLoadContext context;
    FezzStatus status = fezz_load_context_read(message, &context);
    printf("%d ", (int)status);
    if (status == FEZZ_OK) {
        print_hex(context.function);
        print_hex(context.version);
        print_pairs(context.env);
    }
    putchar('\n');
}

/* Copies each message into memory of exactly its size, where a sanitizer notices a byte read too many. */
static void serve(void (*answer)(FezzSlice message)) {
    uint8_t length[4];
    while (fread(length, 1, 4, stdin) == 4) {
        size_t bytes = (size_t)length[0] << 24 | (size_t)length[1] << 16 | (size_t)length[2] << 8 | length[3];
        uint8_t *message = (uint8_t *)malloc(bytes);
        FezzSlice slice;
        if (bytes > 0 && fread(message, 1, bytes, stdin) != bytes)
            exit(1);
        slice.ptr = message;
        slice.len = bytes;
        answer(slice);
        free(message);
    }
}

static void without_memory(int allocations) {
    FezzResponse response;
    int piece;
    allocations_left = allocations;
    response = fezz_response(200);
    fezz_response_header(&response, "content-type", "text/plain");
    for (piece = 0; piece < 200; piece++)
        fezz_response_text(&response, "some text of 25 bytes\n...");
    print_owned(fezz_response_end(&response));
    putchar('\n');
}

/* Every step again after the end, whose buffer is freed by then, and a second end. */
static void end_twice(FezzResponse response) {
    print_owned(fezz_response_end(&response));
    fezz_response_header(&response, "late", "header");
    fezz_response_text(&response, "late");
    print_owned(fezz_response_end(&response));
    print_owned(fezz_response_end(&response));
}

/* What only an author's mistake makes, and a failure of the author's. */
static void mistakes(void) {
    FezzResponse response = fezz_response(200);
    fezz_response_text(&response, "body");
    fezz_response_header(&response, "late", "header");
    print_owned(fezz_response_end(&response));
    response = fezz_response(200);
    fezz_response_header(&response, "\xff", "value");
    print_owned(fezz_response_end(&response));
    response = fezz_response(199);
    print_owned(fezz_response_end(&response));
    print_owned(fezz_failure("no database"));
    print_owned(fezz_failure("\xff"));
    end_twice(fezz_response(999));
    end_twice(fezz_response(200));
    putchar('\n');
}

int main(int count, char **arguments) {
    if (count == 1)
        serve(request);
    else if (strcmp(arguments[1], "load") == 0)
        serve(load_context);
    else if (strcmp(arguments[1], "memory") == 0)
        without_memory(atoi(arguments[2]));
    else
        mistakes();
    return 0;
}
