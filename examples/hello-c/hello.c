/* curl -H 'X-Name: Ada' http://127.0.0.1:3000/hello-c
 *
 * A module in plain C that needs only fezz.h. It greets by the header X-Name, which a small parser finds in the
 * request's CBOR (RFC 8949); a larger module would use a CBOR library.
 */
#include "fezz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The parser's position; at == NULL after an error in the message. */
typedef struct {
    const uint8_t *at, *end;
} Cursor;

enum { UNSIGNED = 0, BYTES = 2, TEXT = 3, ARRAY = 4, MAP = 5 };

/* Reads an item's head: returns its major type, stores its value or length. The host writes only definite lengths. */
static int header(Cursor *cursor, uint64_t *value) {
    if (cursor->at == NULL || cursor->at >= cursor->end)
        return cursor->at = NULL, -1;
    int major = *cursor->at >> 5, minor = *cursor->at & 31;
    cursor->at++;
    if (minor < 24)
        return *value = (uint64_t)minor, major;
    if (minor > 27 || cursor->end - cursor->at < 1 << (minor - 24))
        return cursor->at = NULL, -1;
    *value = 0;
    for (int left = 1 << (minor - 24); left > 0; left--)
        *value = *value << 8 | *cursor->at++;
    return major;
}

/* Reads a string of the given type; returns an empty one if the item has another type. */
static FezzSlice string(Cursor *cursor, int type) {
    uint64_t length;
    FezzSlice empty = {(const uint8_t *)"", 0};
    if (header(cursor, &length) != type || length > (uint64_t)(cursor->end - cursor->at))
        return cursor->at = NULL, empty;
    FezzSlice found = {cursor->at, (size_t)length};
    cursor->at += length;
    return found;
}

/* Skips one item with all nested items, by counting those that remain. */
static void skip(Cursor *cursor) {
    for (uint64_t items = 1, value; items > 0 && cursor->at != NULL; items--) {
        switch (header(cursor, &value)) {
        case UNSIGNED: break;
        case BYTES:
        case TEXT:
            if (value > (uint64_t)(cursor->end - cursor->at))
                cursor->at = NULL;
            else
                cursor->at += value;
            break;
        case ARRAY: items += value; break;
        case MAP: items += 2 * value; break;
        default: cursor->at = NULL;
        }
    }
}

static int is(FezzSlice slice, const char *text) {
    return slice.len == strlen(text) && memcmp(slice.ptr, text, slice.len) == 0;
}

/* The value of the first header with that lower-case name; empty if there is none. */
static FezzSlice find_header(FezzSlice request, const char *name) {
    Cursor cursor = {request.ptr, request.ptr + request.len};
    FezzSlice found = {NULL, 0};
    uint64_t pairs, headers, two;
    if (header(&cursor, &pairs) != MAP)
        return found;
    for (; pairs > 0 && cursor.at != NULL; pairs--) {
        if (!is(string(&cursor, TEXT), "headers")) {
            skip(&cursor);
            continue;
        }
        if (header(&cursor, &headers) != ARRAY)
            return found;
        for (; headers > 0 && cursor.at != NULL; headers--) {
            if (header(&cursor, &two) != ARRAY)
                return found;
            FezzSlice key = string(&cursor, TEXT), value = string(&cursor, BYTES);
            if (cursor.at != NULL && is(key, name))
                return value;
        }
        return found;
    }
    return found;
}

FezzOwned fezz_handle_v2(FezzSlice request) {
    /* {"status": 200, "headers": [["content-type", 'text/plain']], "body": '...'}, without the body's bytes. */
    static const char head[] = "\xa3" "\x66" "status" "\x18\xc8"
                               "\x67" "headers" "\x81\x82" "\x6c" "content-type" "\x4a" "text/plain"
                               "\x64" "body" "\x59";
    enum { GREETING_BYTES_MAX = 1024 }; /* a name is cut rather than refused */
    char greeting[GREETING_BYTES_MAX];
    FezzSlice name = find_header(request, "x-name");
    if (name.ptr == NULL)
        name = (FezzSlice){(const uint8_t *)"world", 5};
    int length = snprintf(greeting, sizeof greeting, "Hello, %.*s, from C!\n",
                          (int)(name.len < 900 ? name.len : 900), (const char *)name.ptr);

    FezzOwned response = {NULL, 0};
    if (length < 0 || (response.ptr = malloc(sizeof head - 1 + 2 + (size_t)length)) == NULL)
        return response; /* the empty buffer: the client gets a 502 */
    uint8_t *at = response.ptr;
    memcpy(at, head, sizeof head - 1);
    at += sizeof head - 1;
    *at++ = (uint8_t)(length >> 8);
    *at++ = (uint8_t)length;
    memcpy(at, greeting, (size_t)length);
    response.len = (size_t)(at - response.ptr) + (size_t)length;
    return response;
}

void fezz_free_v2(FezzOwned buffer) {
    free(buffer.ptr);
}
