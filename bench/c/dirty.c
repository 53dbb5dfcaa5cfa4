/* A module whose fezz_on_load_v2 fills 16 MiB of the heap, and that writes to DIRTY_PAGES of its pages for each request:
 * other pages for each, in a random order.
 */
#define _GNU_SOURCE /* strdup(3) */
#include "fezz.h"

#include <stdlib.h>
#include <string.h>

/* Volatile, since no code reads it. */
static volatile uint8_t *heap;
static size_t dirty_pages;

/* The number of pages is a power of two, and four times the most that a request writes to. */
enum { PAGE_BYTES = 4096, PAGES = 4096 };

FezzOwned fezz_on_load_v2(FezzSlice context) {
    static const char complaint[] = "there isn't enough memory, or DIRTY_PAGES is more than there are";
    (void)context;
    const char *pages = getenv("DIRTY_PAGES");
    dirty_pages = pages == NULL ? 0 : strtoul(pages, NULL, 10);
    heap = malloc((size_t)PAGES * PAGE_BYTES);
    FezzOwned outcome = {NULL, 0};
    if (heap == NULL || dirty_pages > PAGES) {
        outcome.ptr = (uint8_t *)strdup(complaint);
        outcome.len = outcome.ptr == NULL ? 0 : sizeof complaint - 1;
        return outcome;
    }
    for (size_t at = 0; at < PAGES; at++)
        heap[at * PAGE_BYTES] = 1;
    return outcome;
}

/* A hash (FNV-1a) of the message, which has the request's random id. A generator's state in memory would be the same for
 * each request, and a system call might be counted by the jail. */
static uint64_t seed_of(FezzSlice message) {
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t at = 0; at < message.len; at++)
        hash = (hash ^ message.ptr[at]) * 0x100000001b3;
    return hash ^ hash >> 32;
}

/* Takes the pages by a linear congruential generator whose modulus is their number. With such a factor and an odd summand
 * it returns each number once (Hull and Dobell, 1962), so that no page is counted twice. */
static void dirty(uint64_t seed) {
    size_t page = seed % PAGES, summand = seed >> 24 | 1;
    size_t factor = (seed >> 12 & ~(size_t)3) | 5; /* one more than a multiple of four */
    for (size_t written = 0; written < dirty_pages; written++) {
        heap[page * PAGE_BYTES + PAGE_BYTES / 2] += 1;
        page = (page * factor + summand) % PAGES;
    }
}

FezzOwned fezz_handle_v2(FezzSlice request) {
    /* {"status": 200, "body": 'dirtied'} */
    static const char answer[] = "\xa2\x66" "status" "\x18\xc8" "\x64" "body" "\x47" "dirtied";
    dirty(seed_of(request));
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
