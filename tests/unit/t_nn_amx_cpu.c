/* t_nn_amx_cpu.c -- run: limit=120 nosan : the AMX kernels as they are compiled for the CPU's unit give the bytes of the emulated ones.
 * Where the CPU has no such unit, it raises SIGILL at each tile instruction, and a handler here does what the instruction would: so its
 * operands, and the code around it, are tested on any CPU with AVX-512. */
#define _GNU_SOURCE 1 /* the names of registers in ucontext.h */
#include "../amx_reference.h"

#include <omp.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

static _Thread_local amx_config config;
static _Thread_local unsigned char tile[8][AMX_ROWS][64];
static _Thread_local long executed;

enum { PREFIX_NONE, PREFIX_66, PREFIX_F3, PREFIX_F2 };

/* An instruction with a VEX prefix of three bytes, as all of these have. */
typedef struct {
    int prefix, opcode, reg, rm, vvvv, length;
    bool in_memory;
    char *address;    /* base and displacement */
    long long stride; /* the scaled index */
} instruction;

static long long reg_value(const ucontext_t *u, int reg)
{
    static const int at[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                             REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    return u->uc_mcontext.gregs[at[reg]];
}

static bool decode(const ucontext_t *u, const unsigned char *p, instruction *i)
{
    if (p[0] != 0xc4 || (p[1] & 0x1f) != 2 || (p[2] & 0x84) != 0) return false; /* map 0F38, W 0, L 0 */
    const int r = p[1] & 0x80 ? 0 : 8, x = p[1] & 0x40 ? 0 : 8, b = p[1] & 0x20 ? 0 : 8, mod = p[4] >> 6;
    int at = 5, base = (p[4] & 7) | b;
    *i = (instruction){
        .prefix = p[2] & 3, .vvvv = ~(p[2] >> 3) & 15, .opcode = p[3], .reg = (p[4] >> 3 & 7) | r, .rm = p[4] & 7, .in_memory = mod != 3};
    i->length = at;
    if (!i->in_memory) return true;
    long long address = 0;
    int32_t far = 0;
    bool no_base = false;
    if ((p[4] & 7) == 4) {
        int index = (p[at] >> 3 & 7) | x;
        base = (p[at] & 7) | b;
        no_base = (p[at] & 7) == 5 && mod == 0;
        if (index != 4) i->stride = reg_value(u, index) * (1 << (p[at] >> 6));
        at++;
    } else if ((p[4] & 7) == 5 && mod == 0)
        return false; /* from the instruction's own address: not used */
    if (!no_base) address = reg_value(u, base);
    if (mod == 1) address += (signed char)p[at++];
    if (mod == 2 || no_base) memcpy(&far, p + at, sizeof far), at += 4;
    i->address = (char *)(intptr_t)(address + far);
    i->length = at;
    return true;
}

static void multiply(int c, int a, int b)
{
    for (int m = 0; m < config.rows[c]; m++)
        for (int n = 0; n < config.row_bytes[c] / 4; n++) {
            float sum[2] = {0, 0}, old, half[2];
            for (int k = 0; k < 2 * config.rows[b]; k++) {
                uint32_t bits[2] = {0, 0};
                memcpy((char *)&bits[0] + 2, tile[a][m] + 2 * k, 2);
                memcpy((char *)&bits[1] + 2, tile[b][k / 2] + 4 * n + k % 2 * 2, 2);
                memcpy(half, bits, sizeof half);
                sum[k % 2] = fmaf(half[0], half[1], sum[k % 2]);
            }
            memcpy(&old, tile[c][m] + 4 * n, sizeof old);
            old += sum[0] + sum[1];
            memcpy(tile[c][m] + 4 * n, &old, sizeof old);
        }
}

/* False: no tile instruction, or one that the CPU would refuse. */
static bool execute(const instruction *i)
{
    const bool shaped = i->reg < 8 && config.rows[i->reg] > 0;
    if (i->opcode == 0x49 && i->in_memory && i->prefix == PREFIX_NONE) { /* LDTILECFG */
        memcpy(&config, i->address, sizeof config);
        memset(tile, 0, sizeof tile);
        return config.palette == 1;
    }
    if (i->opcode == 0x49 && i->prefix == PREFIX_NONE) { /* TILERELEASE */
        memset(&config, 0, sizeof config);
        return i->reg == 0 && i->rm == 0;
    }
    if (i->opcode == 0x49 && i->prefix == PREFIX_F2 && shaped) { /* TILEZERO */
        memset(tile[i->reg], 0, sizeof tile[0]);
        return true;
    }
    if (i->opcode == 0x4b && i->in_memory && shaped && (i->prefix == PREFIX_F2 || i->prefix == PREFIX_F3)) { /* TILELOADD, TILESTORED */
        if (i->prefix == PREFIX_F2) memset(tile[i->reg], 0, sizeof tile[0]);
        for (int r = 0; r < config.rows[i->reg]; r++)
            if (i->prefix == PREFIX_F2)
                memcpy(tile[i->reg][r], i->address + r * i->stride, config.row_bytes[i->reg]);
            else
                memcpy(i->address + r * i->stride, tile[i->reg][r], config.row_bytes[i->reg]);
        return true;
    }
    if (i->opcode == 0x5c && i->prefix == PREFIX_F3 && !i->in_memory && shaped && i->vvvv < 8) { /* TDPBF16PS */
        bool fits = config.rows[i->reg] == config.rows[i->rm] && config.row_bytes[i->reg] == config.row_bytes[i->vvvv] &&
                    config.row_bytes[i->rm] / 4 == config.rows[i->vvvv];
        if (fits) multiply(i->reg, i->rm, i->vvvv);
        return fits;
    }
    return false;
}

static void on_illegal(int signal, siginfo_t *info, void *context)
{
    enum { DENORMALS_ARE_ZEROS = 0x8040 };
    ucontext_t *u = context;
    instruction i;
    (void)signal, (void)info;
    __builtin_ia32_ldmxcsr(0x1f80 | DENORMALS_ARE_ZEROS); /* the interrupted code's own comes back with it */
    if (!decode(u, (const unsigned char *)(intptr_t)u->uc_mcontext.gregs[REG_RIP], &i) || !execute(&i)) {
        static const char refused[] = "not ok 1 - an instruction that the CPU would refuse\n1..1\n";
        if (write(STDOUT_FILENO, refused, sizeof refused - 1) > 0) _exit(1);
        _exit(1);
    }
    executed++;
    u->uc_mcontext.gregs[REG_RIP] += i.length;
}

static int bad;

static status one_case(conv_direction direction, const int *q, bool post, bool stream)
{
    status st = OK;
    amx_case c = amx_case_create(direction, q[0], q[1], q[2], q[3], q[4], q[5], q[6]);
    c.s.bias = c.s.relu = c.s.sum = post;
    void *emulated = xmalloc(c.bytes);
    double sums[2] = {0, 0};
    amx_use(AMX_EMULATED);
    TRY(amx_case_run(&c, stream));
    memcpy(emulated, c.result, c.bytes);
    for (int i = 0; i < q[2]; i++) sums[0] += c.sums[0][i], sums[1] += c.sums[1][i];
    amx_use(AMX_CPU);
    TRY(amx_case_run(&c, stream));
    bool good = memcmp(emulated, c.result, c.bytes) == 0 && amx_case_good(&c);
    for (int i = 0; i < q[2]; i++) sums[0] -= c.sums[0][i], sums[1] -= c.sums[1][i];
    good = good && fabs(sums[0]) < 1e-9 && fabs(sums[1]) < 1e-9;
    if (!good)
        printf("#   direction %d n%d %d->%d %dx%d k%d s%d post %d\n", (int)direction, q[0], q[1], q[2], q[3], q[4], q[5], q[6], post);
    bad += !good;
done:
    free(emulated);
    amx_case_free(&c);
    return st;
}

int main(void)
{
    /* pictures, channels in, out, height, width, kernel, stride */
    static const int shape[][7] = {
        {33, 48, 48, 2, 3, 3, 1}, {5, 32, 80, 3, 3, 3, 2}, {18, 64, 32, 2, 2, 1, 1}, {31, 32, 64, 3, 2, 1, 2}, {2, 1, 48, 9, 70, 7, 2}};
    status st = OK;
    struct sigaction act = {.sa_sigaction = on_illegal, .sa_flags = SA_SIGINFO};
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl")) {
        tap_skip("the kernels of the CPU's unit", "no AVX-512 here");
        return tap_done();
    }
    omp_set_num_threads(1);
    bool own = amx_unit_here() == AMX_CPU;
    if (!own) sigaction(SIGILL, &act, NULL);
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
        for (int direction = 0; direction < 3; direction++) {
            if (direction == CONV_BACK_DATA && shape[i][1] == 1) continue;
            TRY(one_case((conv_direction)direction, shape[i], false, false));
            if (direction == CONV_FORWARD) TRY(one_case(CONV_FORWARD, shape[i], true, true));
        }
    printf("# %s\n", own ? "on this CPU's own unit" : "each tile instruction done by the handler");
    ok(bad == 0, "the bytes of the emulated tiles");
    ok(own || executed > 1000, "tile instructions were executed");
    printf("# %ld of them by the handler\n", executed);
done:
    if (st != OK) printf("# %s\n", msg_get());
    ok(st == OK, "the test ran to its end");
    return tap_done();
}
