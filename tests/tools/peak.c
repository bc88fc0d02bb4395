/* peak.c -- peak COMMAND... : runs it, prints the largest memory that it (or a child it waited for) had in use, in KiB, on stdout; its
 * exit status is the command's. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int status = 0;
    struct rusage use;
    if (argc < 2) return fprintf(stderr, "usage: peak COMMAND...\n"), 2;
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || getrusage(RUSAGE_CHILDREN, &use) != 0) return 1;
    printf("%ld\n", use.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
