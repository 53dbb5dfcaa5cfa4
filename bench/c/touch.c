/* A module whose fezz_on_load_v2 touches TOUCH_MIB MiB of memory, like a function that reads a table or a model before its
 * first request. It answers every request in the same way.
 */
#define _GNU_SOURCE /* strdup(3) */
#include "fezz.h"

#include <stdlib.h>
#include <string.h>

/* Volatile, since no code reads it. */
static volatile uint8_t *table;

enum { PAGE_BYTES = 4096 };

FezzOwned fezz_on_load_v2(FezzSlice context) {
    static const char complaint[] = "there isn't as much memory as TOUCH_MIB asks for";
    (void)context;
    const char *mebibytes = getenv("TOUCH_MIB");
    size_t bytes = (mebibytes == NULL ? 0 : strtoul(mebibytes, NULL, 10)) << 20;
    FezzOwned outcome = {NULL, 0};
    if (bytes == 0)
        return outcome;
    table = malloc(bytes);
    if (table == NULL) {
        outcome.ptr = (uint8_t *)strdup(complaint);
        outcome.len = outcome.ptr == NULL ? 0 : sizeof complaint - 1;
        return outcome;
    }
    for (size_t at = 0; at < bytes; at += PAGE_BYTES)
        table[at] = 1;
    return outcome;
}

FezzOwned fezz_handle_v2(FezzSlice request) {
    /* {"status": 200, "body": 'touched'} */
    static const char answer[] = "\xa2\x66" "status" "\x18\xc8" "\x64" "body" "\x47" "touched";
    (void)request;
    FezzOwned response = {malloc(sizeof answer - 1), sizeof answer - 1};
    if (response.ptr == NULL)
        response.len = 0;
    else
        memcpy(response.ptr, answer, response.len);
    return response;
}

void fezz_free_v2(FezzOwned buffer) {
    free(buffer.ptr);
}
