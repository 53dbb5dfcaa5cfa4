/* The ABI of a Fezz module, version 2.
 *
 * A module is a shared library that exports the two required functions. The runner loads it in a process of its own
 * per request, calls fezz_handle_v2 once and exits, unless the manifest's "execution" says otherwise. Request and response are CBOR maps (RFC 8949) with text keys.
 *
 * Request:
 *   method     text                    "GET"
 *   uri        text                    path and query as received, or without /rpc/<name>
 *   authority  text, optional          Host, or :authority
 *   scheme     text, optional          "http", or what the proxy forwarded
 *   headers    array of [text, bytes]  names in lower case; order and duplicates kept
 *   params     map of text to text     the route's path parameters, percent-decoded
 *   meta       map                     request_id, function, version: text; deadline_ms: unsigned, time left in ms;
 *                                      client_ip: text, optional; original_uri: text, the path and query as received,
 *                                      where they differ from uri
 *   body       bytes                   may be empty
 *
 * Response:
 *   status     unsigned                200 to 599
 *   headers    array of [text, bytes]  optional
 *   body       bytes                   optional
 *   error      map, optional           kind, message: text; the host then answers 500, and logs the message
 *
 * Unknown keys are ignored in both. Strings have definite lengths; maps and arrays nest three deep at most.
 * fezz_cbor.h reads the one and writes the other.
 */
#ifndef FEZZ_H
#define FEZZ_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that the callee borrows for the call. ptr is not null, even where len is 0. */
typedef struct {
    const uint8_t *ptr;
    size_t len;
} FezzSlice;

/* Bytes that the module owns until fezz_free_v2 gets them back. ptr is null for the empty buffer. */
typedef struct {
    uint8_t *ptr;
    size_t len;
} FezzOwned;

/* Required: one FezzWireRequest in, one FezzWireResponse out. A null buffer is an error. */
FezzOwned fezz_handle_v2(FezzSlice request);

/* Required: a worker, and the host's own process, call it exactly once for each buffer that is not null. A process that is
 * about to exit, or to be put back to its snapshot ("rewind"), need not call it. */
void fezz_free_v2(FezzOwned buffer);

/* Optional: once per process image, before the first request. context is a CBOR map of function and version, both
 * text, and env, a map of text to text; in a worker also concurrency, unsigned: the
 * most calls of fezz_handle_v2 at the same time, each on a thread of its own. Returns the empty buffer on success, else an
 * error message in UTF-8. In the host's own process ("execution": "in-process") it may be called again after
 * fezz_on_unload_v2, with all variables as they are; there several threads call fezz_handle_v2 at the same time.
 *
 * Build a module for the host's own process without -ftls-model=initial-exec, and C++ with -fno-gnu-unique: each replaced
 * release that stays mapped keeps its static thread-local memory, of which there is little, and unique symbols would be
 * shared by all releases, so that such a module is refused. */
FezzOwned fezz_on_load_v2(FezzSlice context);

/* Optional: in each forked process, before its request, and with "rewind" before each request: reseed random number
 * generators. Threads that were started before the fork do not exist there. If it fails, it must abort the process. */
void fezz_on_fork_v2(void);

/* Optional: before a worker ends, or the host's own process unloads the module. */
void fezz_on_unload_v2(void);

#ifdef __cplusplus
}
#endif

#endif
