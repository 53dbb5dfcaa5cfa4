/* A minimal loop with a process per request: `prefork MODULE CHILDREN`, with a SOCK_SEQPACKET socket as stdin.
 *
 * It loads the module and keeps CHILDREN processes forked in advance, each in a PID namespace of its own. A child receives
 * one message with a socket, reads a FezzWireRequest from it up to end of file, writes the answer to it and exits. There is
 * no HTTP, jail, deadline or log: an upper bound for a host that forks per request. The loop ends when the other end of the
 * control socket is closed.
 */
#define _GNU_SOURCE
#include "fezz.h"

#include <dlfcn.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REQUEST_BYTES_MAX = 64 * 1024 };

/* A child's exit status. Only after ANSWERED the loop forks another one. */
enum { ANSWERED = 0, NO_MORE_REQUESTS = 1, BROKEN = 2 };

typedef FezzOwned Handle(FezzSlice request);

/* Takes the descriptor of the next request; -1 once the other end is closed. */
static int receive(int control) {
    char byte;
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } passed;
    struct iovec data = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &passed, .msg_controllen = sizeof passed};
    int descriptor;
    if (recvmsg(control, &message, MSG_CMSG_CLOEXEC) != 1 || CMSG_FIRSTHDR(&message) == NULL)
        return -1;
    memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof descriptor);
    return descriptor;
}

/* Reads the request up to end of file, calls the module, writes the answer; returns the child's exit status. The request is
 * on the stack, so that no page of the heap is copied for it. */
static int answer(int connection, Handle *handle) {
    uint8_t request[REQUEST_BYTES_MAX];
    size_t length = 0;
    ssize_t some;
    while ((some = read(connection, request + length, sizeof request - length)) > 0)
        length += (size_t)some;
    if (some < 0 || length == sizeof request)
        return BROKEN;
    FezzOwned response = handle((FezzSlice){request, length});
    for (size_t written = 0; written < response.len; written += (size_t)some)
        if ((some = write(connection, response.ptr + written, response.len - written)) <= 0)
            return BROKEN;
    return response.ptr == NULL ? BROKEN : ANSWERED;
}

/* Like fork(2), into a new PID namespace. A direct system call, since glibc's fork() takes no flags. */
static pid_t fork_alone(void) {
    return (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL);
}

static int start_child(int control, Handle *handle) {
    pid_t child = fork_alone();
    if (child != 0)
        return child > 0 ? 0 : -1;
    int connection = receive(control);
    _exit(connection < 0 ? NO_MORE_REQUESTS : answer(connection, handle));
}

static int fail(const char *what) {
    perror(what);
    return 1;
}

int main(int count, char **arguments) {
    int children = count == 3 ? atoi(arguments[2]) : 0;
    if (children <= 0) {
        fputs("usage: prefork MODULE CHILDREN\n", stderr);
        return 2;
    }
    void *module = dlopen(arguments[1], RTLD_NOW);
    Handle *handle = module == NULL ? NULL : (Handle *)dlsym(module, "fezz_handle_v2");
    if (handle == NULL) {
        fprintf(stderr, "prefork: %s\n", dlerror());
        return 1;
    }
    /* A user namespace gives the right to make PID namespaces without root. */
    if (unshare(CLONE_NEWUSER) != 0)
        return fail("prefork: failed to make a user namespace");
    for (int started = 0; started < children; started++)
        if (start_child(STDIN_FILENO, handle) != 0)
            return fail("prefork: failed to fork");
    int status;
    while (wait(&status) > 0) {
        if (WIFSIGNALED(status) || WEXITSTATUS(status) == BROKEN)
            fputs("prefork: a child failed\n", stderr);
        else if (WEXITSTATUS(status) == NO_MORE_REQUESTS)
            return 0; /* the other children end by themselves */
        if (start_child(STDIN_FILENO, handle) != 0)
            return fail("prefork: failed to fork");
    }
    return fail("prefork: failed to wait");
}
