/* Reads a request and writes a response in C99 or C++: the CBOR (RFC 8949) of the two maps that fezz.h describes.
 *
 *     FezzOwned fezz_handle_v2(FezzSlice message) {
 *         FezzRequest request;
 *         FezzStatus status = fezz_request_read(message, &request);
 *         if (status != FEZZ_OK)
 *             return fezz_failure(fezz_status_text(status));
 *         FezzSlice name = fezz_text("world");
 *         fezz_request_header(&request, "x-name", &name);
 *
 *         FezzResponse response = fezz_response(200);
 *         fezz_response_header(&response, "content-type", "text/plain");
 *         fezz_response_text(&response, "Hello, ");
 *         fezz_response_body(&response, name);
 *         return fezz_response_end(&response);
 *     }
 *
 *     void fezz_free_v2(FezzOwned buffer) {
 *         free(buffer.ptr);
 *     }
 *
 * The reader allocates nothing: every FezzSlice of a request points into the message. It refuses what the host's own
 * decoder refuses, with the same reason. The writer allocates one buffer by realloc(3); define FEZZ_REALLOC and
 * FEZZ_FREE before you include this file to replace it. Names that begin with fezz_cbor_ are internal.
 */
#ifndef FEZZ_CBOR_H
#define FEZZ_CBOR_H

#include "fezz.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef FEZZ_REALLOC
#define FEZZ_REALLOC realloc
#define FEZZ_FREE free
#endif

/* The most headers, parameters, or keys of any map. */
#define FEZZ_PAIRS_MAX 1024

/* How deep maps and arrays may nest: the message, its headers, one header. */
#define FEZZ_NESTING_MAX 3

/* ---- Status -------------------------------------------------------------------------------------------------------- */

typedef enum {
    FEZZ_OK = 0,
    /* A message that can't be read. */
    FEZZ_TRUNCATED,
    FEZZ_MALFORMED,
    FEZZ_NOT_A_MAP,
    FEZZ_TRAILING_BYTES,
    FEZZ_TOO_DEEP,
    FEZZ_INDEFINITE_STRING,
    FEZZ_MISSING_KEY,
    FEZZ_DUPLICATE_KEY,
    FEZZ_WRONG_TYPE,
    FEZZ_NOT_UTF8,
    FEZZ_TOO_MANY_PAIRS,
    /* A response that can't be written. */
    FEZZ_STATUS_OUT_OF_RANGE,
    FEZZ_HEADER_AFTER_BODY,
    FEZZ_OUT_OF_MEMORY,
    FEZZ_ENDED
} FezzStatus;

/* One line of English, for the log. */
static inline const char *fezz_status_text(FezzStatus status) {
    switch (status) {
    case FEZZ_OK: return "no error";
    case FEZZ_TRUNCATED: return "the message ends before its map is complete";
    case FEZZ_MALFORMED: return "a byte begins no CBOR item that is allowed there";
    case FEZZ_NOT_A_MAP: return "the message is not a CBOR map";
    case FEZZ_TRAILING_BYTES: return "a byte follows the end of the message";
    case FEZZ_TOO_DEEP: return "maps and arrays nest more than 3 deep";
    case FEZZ_INDEFINITE_STRING: return "a string has an indefinite length";
    case FEZZ_MISSING_KEY: return "a required key is missing";
    case FEZZ_DUPLICATE_KEY: return "a key is twice in one map";
    case FEZZ_WRONG_TYPE: return "a key or a value has the wrong type";
    case FEZZ_NOT_UTF8: return "a text is not UTF-8";
    case FEZZ_TOO_MANY_PAIRS: return "a map or the headers hold more than 1024 pairs";
    case FEZZ_STATUS_OUT_OF_RANGE: return "the response's status is outside 200 to 599";
    case FEZZ_HEADER_AFTER_BODY: return "a header was added after the body: add all headers first";
    case FEZZ_OUT_OF_MEMORY: return "out of memory while writing the response";
    case FEZZ_ENDED:
        return "the response was ended before: call fezz_response_end once, and return what it returns";
    }
    return "unknown status";
}

/* ---- Slices -------------------------------------------------------------------------------------------------------- */

/* The bytes of a string that ends with NUL, without the NUL. */
static inline FezzSlice fezz_text(const char *text) {
    FezzSlice slice;
    slice.ptr = (const uint8_t *)text;
    slice.len = strlen(text);
    return slice;
}

/* Whether the bytes are those of `text`. An absent slice (ptr is null) equals no text. */
static inline int fezz_equals(FezzSlice slice, const char *text) {
    return slice.ptr != NULL && slice.len == strlen(text) && memcmp(slice.ptr, text, slice.len) == 0;
}

/* ---- CBOR items, internal ------------------------------------------------------------------------------------------- */

enum {
    FEZZ_CBOR_UNSIGNED = 0,
    FEZZ_CBOR_BYTES = 2,
    FEZZ_CBOR_TEXT = 3,
    FEZZ_CBOR_ARRAY = 4,
    FEZZ_CBOR_MAP = 5,
    FEZZ_CBOR_TAG = 6,
    FEZZ_CBOR_SIMPLE = 7,
    FEZZ_CBOR_BREAK = 8,
    FEZZ_CBOR_UNTIL_BREAK = 31 /* the additional information of an indefinite length */
};

/* What is still unread. */
typedef struct {
    const uint8_t *at, *end;
} FezzCborCursor;

/* The head of one item; its content, if any, follows it. */
typedef struct {
    int major;       /* RFC 8949, section 3.1; FEZZ_CBOR_BREAK for a break */
    int until_break; /* an array or a map that a break ends */
    uint64_t value;  /* the number; or how many bytes, items or pairs follow */
} FezzCborItem;

static inline FezzCborCursor fezz_cbor_cursor(FezzSlice slice) {
    FezzCborCursor cursor;
    cursor.at = slice.ptr;
    cursor.end = slice.len == 0 ? slice.ptr : slice.ptr + slice.len; /* an absent slice's ptr is null */
    return cursor;
}

static inline size_t fezz_cbor_left(const FezzCborCursor *cursor) {
    return (size_t)(cursor->end - cursor->at);
}

static inline FezzStatus fezz_cbor_indefinite(FezzCborItem *item) {
    if (item->major == FEZZ_CBOR_BYTES || item->major == FEZZ_CBOR_TEXT)
        return FEZZ_INDEFINITE_STRING;
    if (item->major == FEZZ_CBOR_SIMPLE)
        item->major = FEZZ_CBOR_BREAK;
    else if (item->major != FEZZ_CBOR_ARRAY && item->major != FEZZ_CBOR_MAP)
        return FEZZ_MALFORMED;
    item->until_break = 1;
    return FEZZ_OK;
}

/* Reads an item's head. */
static inline FezzStatus fezz_cbor_item(FezzCborCursor *cursor, FezzCborItem *item) {
    unsigned information;
    size_t bytes;
    if (fezz_cbor_left(cursor) == 0)
        return FEZZ_TRUNCATED;
    item->major = *cursor->at >> 5;
    item->until_break = 0;
    information = *cursor->at & 31u;
    cursor->at++;
    item->value = information;
    if (information == FEZZ_CBOR_UNTIL_BREAK)
        return fezz_cbor_indefinite(item);
    if (information > 27)
        return FEZZ_MALFORMED;
    if (information < 24)
        return FEZZ_OK;
    bytes = (size_t)1 << (information - 24);
    if (fezz_cbor_left(cursor) < bytes)
        return FEZZ_TRUNCATED;
    for (item->value = 0; bytes > 0; bytes--)
        item->value = item->value << 8 | *cursor->at++;
    return FEZZ_OK;
}

static inline FezzStatus fezz_cbor_skip_rest(FezzCborCursor *cursor, FezzCborItem item, int depth);

/* Skips the items of an array or a map. */
static inline FezzStatus fezz_cbor_skip_items(FezzCborCursor *cursor, const FezzCborItem *parent, int depth) {
    uint64_t left = parent->value;
    while (parent->until_break || left-- > 0) {
        int items = parent->major == FEZZ_CBOR_MAP ? 2 : 1; /* a key and its value */
        int index;
        for (index = 0; index < items; index++) {
            FezzCborItem item;
            FezzStatus status = fezz_cbor_item(cursor, &item);
            if (status != FEZZ_OK)
                return status;
            /* In a map, a break may stand before a key only. */
            if (parent->until_break && index == 0 && item.major == FEZZ_CBOR_BREAK)
                return FEZZ_OK;
            status = fezz_cbor_skip_rest(cursor, item, depth);
            if (status != FEZZ_OK)
                return status;
        }
    }
    return FEZZ_OK;
}

/* Skips the content of the item whose head was read; `depth` maps and arrays may still be opened. */
static inline FezzStatus fezz_cbor_skip_rest(FezzCborCursor *cursor, FezzCborItem item, int depth) {
    while (item.major == FEZZ_CBOR_TAG) {
        FezzStatus status = fezz_cbor_item(cursor, &item);
        if (status != FEZZ_OK)
            return status;
    }
    switch (item.major) {
    case FEZZ_CBOR_BYTES:
    case FEZZ_CBOR_TEXT:
        if (item.value > fezz_cbor_left(cursor))
            return FEZZ_TRUNCATED;
        cursor->at += (size_t)item.value;
        return FEZZ_OK;
    case FEZZ_CBOR_ARRAY:
    case FEZZ_CBOR_MAP:
        if (item.value == 0 && !item.until_break)
            return FEZZ_OK;
        return depth > 0 ? fezz_cbor_skip_items(cursor, &item, depth - 1) : FEZZ_TOO_DEEP;
    case FEZZ_CBOR_BREAK: return FEZZ_MALFORMED;
    default: return FEZZ_OK;
    }
}

static inline FezzStatus fezz_cbor_skip(FezzCborCursor *cursor) {
    FezzCborItem item;
    FezzStatus status = fezz_cbor_item(cursor, &item);
    return status == FEZZ_OK ? fezz_cbor_skip_rest(cursor, item, FEZZ_NESTING_MAX) : status;
}

/* How many bytes the character at `at` has; 0 if it is not UTF-8 (RFC 3629, section 4). */
static inline size_t fezz_cbor_character(const uint8_t *at, size_t left) {
    uint8_t first = at[0], low = 0x80, high = 0xbf;
    size_t bytes = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4, index;
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4 || left < bytes)
        return 0;
    if (first == 0xe0)
        low = 0xa0;
    if (first == 0xed)
        high = 0x9f;
    if (first == 0xf0)
        low = 0x90;
    if (first == 0xf4)
        high = 0x8f;
    for (index = 1; index < bytes; index++) {
        if (at[index] < low || at[index] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return bytes;
}

static inline int fezz_cbor_is_utf8(FezzSlice text) {
    size_t at = 0;
    while (at < text.len) {
        size_t bytes = fezz_cbor_character(text.ptr + at, text.len - at);
        if (bytes == 0)
            return 0;
        at += bytes;
    }
    return 1;
}

/* Reads a string of the given type. */
static inline FezzStatus fezz_cbor_string(FezzCborCursor *cursor, int major, FezzSlice *string) {
    FezzCborItem item;
    FezzStatus status = fezz_cbor_item(cursor, &item);
    if (status != FEZZ_OK)
        return status;
    if (item.major != major)
        return FEZZ_WRONG_TYPE;
    if (item.value > fezz_cbor_left(cursor))
        return FEZZ_TRUNCATED;
    string->ptr = cursor->at;
    string->len = (size_t)item.value;
    cursor->at += string->len;
    return major != FEZZ_CBOR_TEXT || fezz_cbor_is_utf8(*string) ? FEZZ_OK : FEZZ_NOT_UTF8;
}

/* Whether the array or map whose head is `parent` has another item or pair. Skips the break that ends it. */
static inline int fezz_cbor_more(FezzCborCursor *cursor, FezzCborItem *parent) {
    if (!parent->until_break) {
        if (parent->value == 0)
            return 0;
        parent->value--;
        return 1;
    }
    if (fezz_cbor_left(cursor) > 0 && *cursor->at == 0xff) {
        cursor->at++;
        return 0;
    }
    return 1;
}

/* ---- Headers and parameters ------------------------------------------------------------------------------------------ */

/* Names with values, one after the other. */
typedef struct {
    FezzCborCursor cursor;
    FezzCborItem parent;
} FezzPairs;

/* The headers or parameters of a request, or the variables of a load context, in their order. */
static inline FezzPairs fezz_pairs(FezzSlice headers_or_params) {
    FezzPairs pairs;
    pairs.cursor = fezz_cbor_cursor(headers_or_params);
    if (headers_or_params.ptr == NULL || fezz_cbor_item(&pairs.cursor, &pairs.parent) != FEZZ_OK)
        memset(&pairs.parent, 0, sizeof pairs.parent);
    return pairs;
}

/* Reads one header: an array of a name and a value. */
static inline FezzStatus fezz_cbor_header(FezzCborCursor *cursor, FezzSlice *name, FezzSlice *value) {
    FezzCborItem pair;
    FezzStatus status = fezz_cbor_item(cursor, &pair);
    if (status != FEZZ_OK)
        return status;
    if (pair.major != FEZZ_CBOR_ARRAY || !fezz_cbor_more(cursor, &pair))
        return FEZZ_WRONG_TYPE;
    status = fezz_cbor_string(cursor, FEZZ_CBOR_TEXT, name);
    if (status != FEZZ_OK)
        return status;
    if (!fezz_cbor_more(cursor, &pair))
        return FEZZ_WRONG_TYPE;
    status = fezz_cbor_string(cursor, FEZZ_CBOR_BYTES, value);
    if (status != FEZZ_OK)
        return status;
    return fezz_cbor_more(cursor, &pair) ? FEZZ_WRONG_TYPE : FEZZ_OK;
}

/* Stores the next name and value; returns 0 after the last. */
static inline int fezz_next(FezzPairs *pairs, FezzSlice *name, FezzSlice *value) {
    if (!fezz_cbor_more(&pairs->cursor, &pairs->parent))
        return 0;
    if (pairs->parent.major == FEZZ_CBOR_ARRAY)
        return fezz_cbor_header(&pairs->cursor, name, value) == FEZZ_OK;
    return fezz_cbor_string(&pairs->cursor, FEZZ_CBOR_TEXT, name) == FEZZ_OK &&
           fezz_cbor_string(&pairs->cursor, FEZZ_CBOR_TEXT, value) == FEZZ_OK;
}

/* Whether `name`, in any case, is the lower-case name of a header. */
static inline int fezz_cbor_is_named(FezzSlice lower, const char *name) {
    size_t index;
    for (index = 0; index < lower.len; index++) {
        char letter = name[index];
        if (letter >= 'A' && letter <= 'Z')
            letter = (char)(letter - 'A' + 'a');
        if (letter == '\0' || (uint8_t)letter != lower.ptr[index])
            return 0;
    }
    return name[index] == '\0';
}

static inline int fezz_cbor_find(FezzSlice all, const char *name, FezzSlice *value) {
    FezzPairs pairs = fezz_pairs(all);
    int in_any_case = pairs.parent.major == FEZZ_CBOR_ARRAY;
    FezzSlice found_name, found;
    while (fezz_next(&pairs, &found_name, &found)) {
        if (in_any_case ? fezz_cbor_is_named(found_name, name) : fezz_equals(found_name, name)) {
            *value = found;
            return 1;
        }
    }
    return 0;
}

/* ---- Reading maps, internal ------------------------------------------------------------------------------------------ */

enum { FEZZ_CBOR_HEADERS = 16, FEZZ_CBOR_TEXTS, FEZZ_CBOR_FIELDS }; /* beside the types of items */

/* A key that a map may have. */
typedef struct {
    const char *key;
    int required;
    int type;    /* FEZZ_CBOR_TEXT, ... */
    void *value; /* FezzSlice, uint64_t or FezzCborFields, by the type */
    int found;
} FezzCborField;

typedef struct {
    FezzCborField *fields; /* null: any key, with a text */
    size_t count;
} FezzCborFields;

static inline FezzStatus fezz_cbor_map(FezzCborCursor *cursor, FezzCborFields fields);

static inline FezzStatus fezz_cbor_unsigned(FezzCborCursor *cursor, uint64_t *value) {
    FezzCborItem item;
    FezzStatus status = fezz_cbor_item(cursor, &item);
    if (status != FEZZ_OK)
        return status;
    *value = item.value;
    return item.major == FEZZ_CBOR_UNSIGNED ? FEZZ_OK : FEZZ_WRONG_TYPE;
}

static inline FezzStatus fezz_cbor_headers(FezzCborCursor *cursor) {
    FezzCborItem parent;
    unsigned count = 0;
    FezzStatus status = fezz_cbor_item(cursor, &parent);
    if (status == FEZZ_OK && parent.major != FEZZ_CBOR_ARRAY)
        return FEZZ_WRONG_TYPE;
    while (status == FEZZ_OK && fezz_cbor_more(cursor, &parent)) {
        FezzSlice name, value;
        if (count++ == FEZZ_PAIRS_MAX)
            return FEZZ_TOO_MANY_PAIRS;
        status = fezz_cbor_header(cursor, &name, &value);
    }
    return status;
}

/* Reads the value of a key. Headers and maps of text are checked, and kept as they are for fezz_pairs. */
static inline FezzStatus fezz_cbor_value(FezzCborCursor *cursor, FezzCborField *field) {
    FezzCborFields any = {NULL, 0};
    FezzSlice *slice = (FezzSlice *)field->value;
    const uint8_t *begin = cursor->at;
    FezzStatus status;
    field->found = 1;
    switch (field->type) {
    case FEZZ_CBOR_UNSIGNED: return fezz_cbor_unsigned(cursor, (uint64_t *)field->value);
    case FEZZ_CBOR_FIELDS: return fezz_cbor_map(cursor, *(FezzCborFields *)field->value);
    case FEZZ_CBOR_HEADERS: status = fezz_cbor_headers(cursor); break;
    case FEZZ_CBOR_TEXTS: status = fezz_cbor_map(cursor, any); break;
    default: return fezz_cbor_string(cursor, field->type, slice);
    }
    slice->ptr = begin;
    slice->len = (size_t)(cursor->at - begin);
    return status;
}

static inline FezzCborField *fezz_cbor_field(FezzCborFields fields, FezzSlice key) {
    size_t index;
    for (index = 0; index < fields.count; index++) {
        if (fezz_equals(key, fields.fields[index].key))
            return &fields.fields[index];
    }
    return NULL;
}

/* The keys of one map that no field remembers, in order. 16 KiB of the stack, of which only what is used is touched. */
typedef struct {
    FezzSlice keys[FEZZ_PAIRS_MAX];
    size_t count;
} FezzCborKeys;

/* Any order does: by length first, which mostly spares the bytes. */
static inline int fezz_cbor_compare(FezzSlice one, FezzSlice other) {
    if (one.len != other.len)
        return one.len < other.len ? -1 : 1;
    return memcmp(one.ptr, other.ptr, one.len);
}

/* Adds a key. Returns 0 if it is there already. The caller adds up to FEZZ_PAIRS_MAX. */
static inline int fezz_cbor_add_key(FezzCborKeys *all, FezzSlice key) {
    size_t low = 0, high = all->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = fezz_cbor_compare(key, all->keys[middle]);
        if (order == 0)
            return 0;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    memmove(all->keys + low + 1, all->keys + low, (all->count - low) * sizeof all->keys[0]);
    all->keys[low] = key;
    all->count++;
    return 1;
}

/* Reads the value of a key, or skips it if the key is unknown. */
static inline FezzStatus fezz_cbor_pair(FezzCborCursor *cursor, FezzCborFields fields, FezzCborField *field) {
    FezzSlice text;
    if (field != NULL)
        return fezz_cbor_value(cursor, field);
    return fields.fields == NULL ? fezz_cbor_string(cursor, FEZZ_CBOR_TEXT, &text) : fezz_cbor_skip(cursor);
}

static inline FezzStatus fezz_cbor_pairs(FezzCborCursor *cursor, FezzCborFields fields, FezzCborItem *map) {
    FezzCborKeys unknown;
    size_t count = 0;
    unknown.count = 0;
    while (fezz_cbor_more(cursor, map)) {
        FezzCborField *field;
        FezzSlice key;
        FezzStatus status;
        status = fezz_cbor_string(cursor, FEZZ_CBOR_TEXT, &key);
        if (status != FEZZ_OK)
            return status;
        if (count++ == FEZZ_PAIRS_MAX)
            return FEZZ_TOO_MANY_PAIRS;
        field = fezz_cbor_field(fields, key);
        if (field != NULL ? field->found : !fezz_cbor_add_key(&unknown, key))
            return FEZZ_DUPLICATE_KEY;
        status = fezz_cbor_pair(cursor, fields, field);
        if (status != FEZZ_OK)
            return status;
    }
    return FEZZ_OK;
}

static inline FezzStatus fezz_cbor_map(FezzCborCursor *cursor, FezzCborFields fields) {
    FezzCborItem map;
    size_t index;
    FezzStatus status = fezz_cbor_item(cursor, &map);
    if (status != FEZZ_OK)
        return status;
    if (map.major != FEZZ_CBOR_MAP)
        return FEZZ_WRONG_TYPE;
    status = fezz_cbor_pairs(cursor, fields, &map);
    if (status != FEZZ_OK)
        return status;
    for (index = 0; index < fields.count; index++) {
        if (fields.fields[index].required && !fields.fields[index].found)
            return FEZZ_MISSING_KEY;
    }
    return FEZZ_OK;
}

/* Reads a whole message. Scans it once first: a message that is cut or malformed is refused as such, whatever its keys. */
static inline FezzStatus fezz_cbor_message(FezzSlice message, FezzCborField *fields, size_t count) {
    FezzCborCursor cursor = fezz_cbor_cursor(message);
    FezzCborFields all;
    FezzStatus status;
    all.fields = fields;
    all.count = count;
    if (message.len > 0 && message.ptr[0] >> 5 != FEZZ_CBOR_MAP)
        return FEZZ_NOT_A_MAP;
    status = fezz_cbor_skip(&cursor);
    if (status != FEZZ_OK)
        return status;
    if (fezz_cbor_left(&cursor) > 0)
        return FEZZ_TRAILING_BYTES;
    cursor = fezz_cbor_cursor(message);
    return fezz_cbor_map(&cursor, all);
}

#define FEZZ_CBOR_COUNT(fields) (sizeof(fields) / sizeof(fields)[0])

/* ---- The request ------------------------------------------------------------------------------------------------------ */

/* Its slices point into the message. ptr is null where an optional text is absent. */
typedef struct {
    FezzSlice method;
    FezzSlice uri;          /* path and query */
    FezzSlice authority;    /* optional */
    FezzSlice scheme;       /* optional */
    FezzSlice headers;      /* for fezz_request_header and fezz_pairs */
    FezzSlice params;       /* for fezz_request_param and fezz_pairs */
    FezzSlice body;
    FezzSlice request_id;
    FezzSlice function;     /* the function's id */
    FezzSlice version;
    uint64_t deadline_ms;   /* the time left when the message was written */
    FezzSlice client_ip;    /* optional */
    FezzSlice original_uri; /* optional: the target as received, where it differs from uri */
} FezzRequest;

/* Reads the whole message and checks all of it. Whatever it returns, `request` is set; use it after FEZZ_OK only. */
static inline FezzStatus fezz_request_read(FezzSlice message, FezzRequest *request) {
    FezzCborField meta_fields[] = {
        {"request_id", 1, FEZZ_CBOR_TEXT, &request->request_id, 0},
        {"function", 1, FEZZ_CBOR_TEXT, &request->function, 0},
        {"version", 1, FEZZ_CBOR_TEXT, &request->version, 0},
        {"deadline_ms", 1, FEZZ_CBOR_UNSIGNED, &request->deadline_ms, 0},
        {"client_ip", 0, FEZZ_CBOR_TEXT, &request->client_ip, 0},
        {"original_uri", 0, FEZZ_CBOR_TEXT, &request->original_uri, 0},
    };
    FezzCborFields meta = {meta_fields, FEZZ_CBOR_COUNT(meta_fields)};
    FezzCborField fields[] = {
        {"method", 1, FEZZ_CBOR_TEXT, &request->method, 0},
        {"uri", 1, FEZZ_CBOR_TEXT, &request->uri, 0},
        {"authority", 0, FEZZ_CBOR_TEXT, &request->authority, 0},
        {"scheme", 0, FEZZ_CBOR_TEXT, &request->scheme, 0},
        {"headers", 1, FEZZ_CBOR_HEADERS, &request->headers, 0},
        {"params", 1, FEZZ_CBOR_TEXTS, &request->params, 0},
        {"body", 1, FEZZ_CBOR_BYTES, &request->body, 0},
        {"meta", 1, FEZZ_CBOR_FIELDS, &meta, 0},
    };
    memset(request, 0, sizeof *request);
    return fezz_cbor_message(message, fields, FEZZ_CBOR_COUNT(fields));
}

/* The first header of that name, in any case. Returns 0 and leaves `value` as it is if there is none. */
static inline int fezz_request_header(const FezzRequest *request, const char *name, FezzSlice *value) {
    return fezz_cbor_find(request->headers, name, value);
}

/* The path parameter of that name. Returns 0 and leaves `value` as it is if there is none. */
static inline int fezz_request_param(const FezzRequest *request, const char *name, FezzSlice *value) {
    return fezz_cbor_find(request->params, name, value);
}

/* ---- The context of fezz_on_load_v2 ------------------------------------------------------------------------------------ */

typedef struct {
    FezzSlice function;
    FezzSlice version;
    FezzSlice env; /* for fezz_load_context_env and fezz_pairs */
} FezzLoadContext;

/* As fezz_request_read does. */
static inline FezzStatus fezz_load_context_read(FezzSlice message, FezzLoadContext *context) {
    FezzCborField fields[] = {
        {"function", 1, FEZZ_CBOR_TEXT, &context->function, 0},
        {"version", 1, FEZZ_CBOR_TEXT, &context->version, 0},
        {"env", 1, FEZZ_CBOR_TEXTS, &context->env, 0},
    };
    memset(context, 0, sizeof *context);
    return fezz_cbor_message(message, fields, FEZZ_CBOR_COUNT(fields));
}

/* The variable of that name. Returns 0 and leaves `value` as it is if there is none. */
static inline int fezz_load_context_env(const FezzLoadContext *context, const char *name, FezzSlice *value) {
    return fezz_cbor_find(context->env, name, value);
}

/* ---- The response ------------------------------------------------------------------------------------------------------ */

/* A response that is being written. After a failed step the others do nothing, and fezz_response_end reports it. After
 * the end every step does nothing, and a second end is a failure that says so. */
typedef struct {
    FezzOwned buffer;
    size_t capacity;
    size_t body_at;    /* where the body's length stands, of 8 bytes; 0 before there is one */
    FezzStatus status; /* what failed first; FEZZ_ENDED after the end */
} FezzResponse;

/* Appends bytes. The buffer doubles; its first size holds a failure's message, for which there may be no more memory. */
static inline void fezz_cbor_append(FezzResponse *response, const void *bytes, size_t len) {
    FezzOwned *buffer = &response->buffer;
    if (response->status != FEZZ_OK || len == 0)
        return;
    if (response->capacity - buffer->len < len) {
        size_t capacity = response->capacity == 0 ? 512 : response->capacity;
        void *larger = NULL;
        while (capacity - buffer->len < len && capacity <= SIZE_MAX / 2)
            capacity *= 2;
        if (capacity - buffer->len >= len)
            larger = FEZZ_REALLOC(buffer->ptr, capacity);
        if (larger == NULL) {
            response->status = FEZZ_OUT_OF_MEMORY;
            return;
        }
        buffer->ptr = (uint8_t *)larger;
        response->capacity = capacity;
    }
    memcpy(buffer->ptr + buffer->len, bytes, len);
    buffer->len += len;
}

/* Stores a number as 8 bytes, the highest first. */
static inline void fezz_cbor_store(uint8_t *to, uint64_t value) {
    int index;
    for (index = 0; index < 8; index++)
        to[index] = (uint8_t)(value >> (56 - 8 * index));
}

/* A head with its number or length in 8 bytes, which is longer than it need be and never wrong. */
static inline void fezz_cbor_write_head(FezzResponse *response, int major, uint64_t value) {
    uint8_t head[9];
    head[0] = (uint8_t)(major << 5 | 27);
    fezz_cbor_store(head + 1, value);
    fezz_cbor_append(response, head, sizeof head);
}

static inline void fezz_cbor_write_text(FezzResponse *response, FezzSlice text) {
    if (response->status == FEZZ_OK && !fezz_cbor_is_utf8(text))
        response->status = FEZZ_NOT_UTF8;
    fezz_cbor_write_head(response, FEZZ_CBOR_TEXT, text.len);
    fezz_cbor_append(response, text.ptr, text.len);
}

/* Begins a response. `status` is 200 to 599. */
static inline FezzResponse fezz_response(unsigned status) {
    static const char begin[] = "\xa3" "\x66" "status" "\x19";
    static const char headers[] = "\x67" "headers" "\x9f"; /* up to a break, since their number isn't known yet */
    uint8_t number[2];
    FezzResponse response;
    memset(&response, 0, sizeof response);
    number[0] = (uint8_t)(status >> 8);
    number[1] = (uint8_t)status;
    if (status < 200 || status > 599)
        response.status = FEZZ_STATUS_OUT_OF_RANGE;
    fezz_cbor_append(&response, begin, sizeof begin - 1);
    fezz_cbor_append(&response, number, sizeof number);
    fezz_cbor_append(&response, headers, sizeof headers - 1);
    return response;
}

/* Adds a header: its name is text, its value any bytes but CR, LF and NUL. All headers come before the body. */
static inline void fezz_response_header_bytes(FezzResponse *response, FezzSlice name, FezzSlice value) {
    if (response->status == FEZZ_OK && response->body_at != 0)
        response->status = FEZZ_HEADER_AFTER_BODY;
    fezz_cbor_append(response, "\x82", 1);
    fezz_cbor_write_text(response, name);
    fezz_cbor_write_head(response, FEZZ_CBOR_BYTES, value.len);
    fezz_cbor_append(response, value.ptr, value.len);
}

/* The same for strings that end with NUL. */
static inline void fezz_response_header(FezzResponse *response, const char *name, const char *value) {
    fezz_response_header_bytes(response, fezz_text(name), fezz_text(value));
}

/* Appends to the body. */
static inline void fezz_response_body(FezzResponse *response, FezzSlice bytes) {
    static const char body[] = "\xff" "\x64" "body"; /* the break ends the headers */
    if (response->body_at == 0) {
        fezz_cbor_append(response, body, sizeof body - 1);
        fezz_cbor_write_head(response, FEZZ_CBOR_BYTES, 0);
        if (response->status == FEZZ_OK)
            response->body_at = response->buffer.len - 8;
    }
    fezz_cbor_append(response, bytes.ptr, bytes.len);
}

/* The same for a string that ends with NUL. */
static inline void fezz_response_text(FezzResponse *response, const char *text) {
    fezz_response_body(response, fezz_text(text));
}

/* Moves the buffer out. The response keeps no pointer to it, since it is its new owner's to free. */
static inline FezzOwned fezz_cbor_take(FezzResponse *response) {
    FezzOwned buffer = response->buffer;
    memset(response, 0, sizeof *response);
    response->status = FEZZ_ENDED;
    return buffer;
}

/* Writes a failure into the buffer, which is large enough for a short message without another allocation. */
static inline FezzOwned fezz_cbor_fail(FezzResponse *response, FezzSlice message) {
    static const char begin[] = "\xa2" "\x66" "status" "\x19\x01\xf4" "\x65" "error" "\xa2"
                                "\x64" "kind" "\x6e" "function_error" "\x67" "message";
    static const char not_utf8[] = "the function failed; its message is not UTF-8";
    FezzOwned none = {NULL, 0};
    response->status = FEZZ_OK; /* for the steps below alone */
    response->buffer.len = 0;
    fezz_cbor_append(response, begin, sizeof begin - 1);
    fezz_cbor_write_text(response, fezz_cbor_is_utf8(message) ? message : fezz_text(not_utf8));
    if (response->status == FEZZ_OK)
        return fezz_cbor_take(response);
    FEZZ_FREE(fezz_cbor_take(response).ptr);
    return none;
}

/* Ends the response, for fezz_handle_v2 to return. If a step failed, this is a failure with the step's text. It is the
 * empty buffer, which the host answers with 502, only if there was no memory at all. */
static inline FezzOwned fezz_response_end(FezzResponse *response) {
    FezzSlice nothing = {NULL, 0};
    fezz_response_body(response, nothing);
    if (response->status != FEZZ_OK)
        return fezz_cbor_fail(response, fezz_text(fezz_status_text(response->status)));
    fezz_cbor_store(response->buffer.ptr + response->body_at, response->buffer.len - response->body_at - 8);
    return fezz_cbor_take(response);
}

/* A response that says the function failed: the client gets a 500, the message goes to the host's log. */
static inline FezzOwned fezz_failure(const char *message) {
    FezzResponse response;
    memset(&response, 0, sizeof response);
    return fezz_cbor_fail(&response, fezz_text(message));
}

#endif
