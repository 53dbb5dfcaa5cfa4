/* Runs a CGI program under bubblewrap, for lighttpd's cgi.assign: `bwrap-cgi PROGRAM`.
 *
 * The jail is that of jail/bwrap-fezz-runner, without what only the runner needs: the libraries and /dev/null. It is a
 * static program instead of a shell script and needs no setpriv(1), so that the peer is as cheap as possible.
 * BWRAP is bwrap's path: a CGI program's environment has no PATH.
 */
#define _GNU_SOURCE
#include <grp.h>
#include <stdio.h>
#include <unistd.h>

/* The user `nobody`, outside as well as inside. */
#define NOBODY 65534
#define NOBODY_TEXT "65534"

/* As root, the jail would still have root's rights to the system's files. The groups are dropped first, while root may. */
static int give_up_root(void) {
    return geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0);
}

int main(int count, char **arguments) {
    if (count != 2) {
        fputs("usage: bwrap-cgi PROGRAM\n", stderr);
        return 2;
    }
    if (give_up_root()) {
        perror("bwrap-cgi: failed to give up root");
        return 1;
    }
    char *command[] = {
        "bwrap",
        /* Namespaces of every kind, and no more of them from inside. */
        "--unshare-all", "--unshare-user", "--disable-userns",
        /* Killing the server ends the jail, too. */
        "--die-with-parent",
        /* The user `nobody`, without capabilities even in its own user namespace, with a neutral host name. */
        "--uid", NOBODY_TEXT, "--gid", NOBODY_TEXT, "--cap-drop", "ALL", "--hostname", "fezz",
        /* The program is the only file; no folder is writable. */
        "--ro-bind", arguments[1], "/program", "--remount-ro", "/", "--chdir", "/",
        "--", "/program", NULL,
    };
    execv(BWRAP, command);
    perror("bwrap-cgi: failed to start " BWRAP);
    return 1;
}
