/* A plugin for qemu-user (API version 1, QEMU 7.2): counts executed instructions, or records them.
 *
 * Without arguments it prints how many instructions the program executed. With trace=FILE it writes the instructions, four bytes
 * each, that are executed between the instructions `hint #100` and `hint #101`, which do nothing on a CPU; both are recorded too.
 * For one thread: counters are not shared. No Debian package has the header, so the declarations that are needed are here. */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;
enum { INLINE_ADD_U64 = 0, CB_NO_REGS = 0 };
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, void (*)(unsigned, void *), int, void *);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);
__attribute__((visibility("default"))) int qemu_plugin_version = 1;

enum { START = 0xD5032C9F, STOP = 0xD5032CBF };
static uint64_t executed;
static FILE *trace;
static int recording;

static void record(unsigned cpu, void *opcode)
{
    uint32_t word = (uint32_t)(uintptr_t)opcode;
    if (word == START)
        recording = 1;
    if (recording)
        fwrite(&word, sizeof word, 1, trace);
    if (word == STOP)
        recording = 0;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    size_t count = qemu_plugin_tb_n_insns(block);
    if (!trace) {
        qemu_plugin_register_vcpu_tb_exec_inline(block, INLINE_ADD_U64, &executed, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);
        uint32_t word;
        memcpy(&word, qemu_plugin_insn_data(instruction), sizeof word);
        qemu_plugin_register_vcpu_insn_exec_cb(instruction, record, CB_NO_REGS, (void *)(uintptr_t)word);
    }
}

static void finished(qemu_plugin_id_t id, void *unused)
{
    if (trace)
        fclose(trace);
    else
        fprintf(stderr, "instructions: %" PRIu64 "\n", executed);
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "trace=", 6) != 0 || !(trace = fopen(argv[i] + 6, "wb"))) {
            fprintf(stderr, "instructions plugin: cannot use the argument %s\n", argv[i]);
            return -1;
        }
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, finished, NULL);
    return 0;
}
