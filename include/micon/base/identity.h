/* identity.h -- who this process is, told so that another one can judge whether it still lives. Local.
 *
 * A process number means something only within one boot of one kernel and one PID namespace: containers on one node share the node's name
 * and its files, and number their processes alike. */
#ifndef MICON_BASE_IDENTITY_H
#define MICON_BASE_IDENTITY_H
#include <stdbool.h>
#include <stddef.h>

enum { IDENTITY_TEXT = 17, IDENTITY_HOST = 256, IDENTITY_TOKEN = 9 };

typedef struct {
    char host[IDENTITY_HOST];
    char machine[IDENTITY_TEXT]; /* of /etc/machine-id; this and the next two are "" where the system does not tell */
    char boot[IDENTITY_TEXT];    /* of the kernel, since it booted */
    char space[IDENTITY_TEXT];   /* of the boot and the PID namespace: where equal, process numbers can be compared */
    char token[IDENTITY_TOKEN];  /* random, of this process alone */
} identity;

/* Read once; a forked child has a token of its own. */
const identity *identity_mine(void);

/* When process `pid` of our own namespace began, in clock ticks since boot; "" if it has ended. It tells a process from a later one of the
 * same number. False: it cannot be seen. */
bool identity_birth(long pid, char *out, size_t size);

/* Has process `pid` of our own namespace certainly ended? birth: as above, or NULL where it is not known. */
bool identity_is_dead(long pid, const char *birth);

#endif
