/* Runs a CGI program under bubblewrap, for lighttpd's cgi.assign: `bwrap-cgi PROGRAM`.
 *
 * The jail is that of jail/bwrap-fezz-runner, without what only the runner needs: the libraries and /dev/null. It is a
 * static program instead of a shell's script, and needs no setpriv(1), so that the peer is as cheap as it can be.
 * BWRAP is bwrap's path: a CGI program's environment has no PATH.
 */
#define _GNU_SOURCE
#include <grp.h>
#include <stdio.h>
#include <unistd.h>

/* Nobody, outside as well as inside. */
#define NOBODY 65534
#define NOBODY_TEXT "65534"

/* Root would be nobody inside and still root to the system's files. The groups go while there is the right to do so. */
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
        /* A server that is killed leaves no jail behind. */
        "--die-with-parent",
        /* Nobody, without capabilities even in its own user namespace, on a host without a name. */
        "--uid", NOBODY_TEXT, "--gid", NOBODY_TEXT, "--cap-drop", "ALL", "--hostname", "fezz",
        /* The program is the only file; nowhere to write. */
        "--ro-bind", arguments[1], "/program", "--remount-ro", "/", "--chdir", "/",
        "--", "/program", NULL,
    };
    execv(BWRAP, command);
    perror("bwrap-cgi: failed to start " BWRAP);
    return 1;
}
