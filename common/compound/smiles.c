/* smiles.c -- the checks of a SMILES before Open Babel sees it. */
#include "compound_impl.h"

#include <stdio.h>
#include <string.h>

bool compound_reject(compound *c, compound_state why, const char *reason)
{
    memset(c, 0, sizeof *c);
    c->state = why;
    snprintf(c->reason, sizeof c->reason, "%s", reason);
    return false;
}

bool smiles_trim(const char *s, size_t size, size_t *begin, size_t *end)
{
    size_t i = 0;
    while (i < size && (s[i] == ' ' || s[i] == '\t')) i++;
    *begin = i;
    while (i < size && s[i] != ' ' && s[i] != '\t') i++;
    *end = i;
    while (i < size && (s[i] == ' ' || s[i] == '\t')) i++;
    return i < size;
}

/* Every bracket closed, every branch with something in it and something it branches from? (Open Babel itself takes "CC(" for "CC",
 * and "(C)CC" for two molecules.) */
static bool is_balanced(const char *s, size_t n)
{
    size_t round = 0;
    bool square = false;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == (square ? '[' : ']')) return false;
        if (s[i] == '[' || s[i] == ']') square = !square;
        if (s[i] == '(' && (i == 0 || s[i - 1] == '(' || s[i - 1] == '.')) return false;
        if (s[i] == ')' && (s[i - (i > 0)] == '(' || round == 0)) return false;
        if (s[i] == '(') round++;
        if (s[i] == ')') round--;
    }
    return round == 0 && !square;
}

bool compound_refuse(compound *c, const char *smiles, size_t size)
{
    size_t begin, end;
    (void)smiles_trim(smiles, size, &begin, &end);
    size_t n = end - begin;
    compound_state why = COMPOUND_OK;
    char text[sizeof c->reason] = "there is no SMILES";
    if (n == 0) {
        why = COMPOUND_EMPTY;
    } else if (n > COMPOUND_MAX_CHARS) {
        why = COMPOUND_TOO_LARGE;
        snprintf(text, sizeof text, "it has %zu characters; %d are allowed", n, (int)COMPOUND_MAX_CHARS);
    } else if (memchr(smiles + begin, '>', n)) { /* is in no molecule */
        why = COMPOUND_REACTION;
        snprintf(text, sizeof text, "it is a reaction");
    }
    for (size_t i = begin; i < end && why == COMPOUND_OK; i++)
        if ((unsigned char)smiles[i] < ' ' || (unsigned char)smiles[i] > '~') {
            why = COMPOUND_BAD_CHARACTER;
            snprintf(text, sizeof text, "character %zu has code %d", i - begin + 1, (int)(unsigned char)smiles[i]);
        }
    if (why == COMPOUND_OK && !is_balanced(smiles + begin, n)) {
        why = COMPOUND_UNREADABLE;
        snprintf(text, sizeof text, "its brackets do not match");
    }
    if (why != COMPOUND_OK) compound_reject(c, why, text);
    return why != COMPOUND_OK;
}
