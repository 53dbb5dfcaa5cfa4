/* The CGI program (RFC 3875) that the host's functions are compared to: it greets by the header X-Name and gives its
 * length, as examples/hello-c does in the host. Static, the cheapest way to start a process: no loader, no library.
 * GREETING_END is the text after the name in the greeting of the compared function.
 */
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    enum { GREETING_BYTES_MAX = 1024 }; /* a name is cut rather than refused, as in examples/hello-c */
    char greeting[GREETING_BYTES_MAX];
    const char *name = getenv("HTTP_X_NAME");
    int length = snprintf(greeting, sizeof greeting, "Hello, %.900s" GREETING_END, name != NULL ? name : "world");
    if (length < 0)
        return 1;
    /* Both reach the pipe in one write, at the exit. */
    printf("Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", length);
    fputs(greeting, stdout);
    return 0;
}
