// What the stand-in must catch: each case ends with its report.
#include "driver.h"

namespace {

void write_far() {
    Driver d;
    d.run("probe_store", 2, 64, d.words(1000), uint64_t(1024));
}
void write_near() {
    Driver d;
    d.run("probe_store", 2, 64, d.words(1000), uint64_t(1000));
}
void write_below() {
    Driver d;
    d.run("probe_store", 2, 64, d.words(900), ~uint64_t(0));
}
void read_far() {
    Driver d;
    uint64_t a = d.words(1024);
    d.run("probe_load", 2, 64, d.words(8), a, uint64_t(1024));
}
[[maybe_unused]] void read_near() {
    Driver d;
    uint64_t a = d.words(1000);
    d.run("probe_load", 2, 64, d.words(8), a, uint64_t(1000));
}
void use_after_free() {
    Driver d;
    uint64_t a = d.words(64), table = d.words(2);
    OK(cuMemFreeAsync(a, nullptr));
    // Reached from another allocation, so the launch's own pointers are sound.
    d.run("probe_store", 2, 64, table, (a - table) / 4);
}
void launch_after_free() {
    Driver d;
    uint64_t a = d.words(64);
    OK(cuMemFreeAsync(a, nullptr));
    d.run("probe_store", 2, 64, a, uint64_t(0));
}
void copy_after_free() {
    Driver d;
    uint64_t a = d.words(64);
    uint32_t host = 0;
    void* other = nullptr;
    OK(cuStreamCreate(&other, 1));
    OK(cuMemcpyDtoHAsync_v2(&host, a, 4, other));
    OK(cuMemFreeAsync(a, nullptr));
    OK(cuStreamSynchronize(nullptr));
    for (uint64_t seed = 0; seed < 50; seed++) {
        // Without an event between the two streams some seed frees first.
        rewit_standin_set_seed(seed);
        uint64_t b = d.words(64);
        OK(cuMemcpyDtoHAsync_v2(&host, b, 4, other));
        OK(cuMemFreeAsync(b, nullptr));
        OK(cuCtxSynchronize());
    }
}
void null_pointer() {
    Driver d;
    d.run("probe_store", 2, 64, uint64_t(0), uint64_t(0));
}
void misaligned_parameter() {
    Driver d;
    d.run("probe_store", 2, 64, d.words(64) + 2, uint64_t(0));
}
void misaligned_vector() {
    Driver d;
    d.run("probe_vector", 1, 64, d.words(64), uint32_t(1));
}
void misaligned_hint() {
    Driver d;
    uint64_t a = d.words(64);
    d.run("probe_hinted", 1, 64, a + 4, a);
}
void host_pointer() {
    Driver d;
    static uint32_t host[4];
    d.run("probe_store", 1, 64, uint64_t(host), uint64_t(0));
}
void simple(const char* kernel) {
    Driver d;
    d.run(kernel, 1, 64, d.words(64));
}
void divergent() { simple("probe_divergent"); }
void two_barriers() { simple("probe_two_barriers"); }
void half_warp() { simple("probe_half_warp"); }
void unnamed() { simple("probe_unnamed"); }
void unnamed_source() { simple("probe_unnamed_source"); }
void big_static() { simple("probe_big_static"); }
void missing_lanes() {
    Driver d;
    d.run("probe_missing_lanes", 1, 40, d.words(64));
}
void static_and_dynamic() {
    Driver d;
    OK(d.launch("probe_static_and_dynamic", 1, 64, 40 * 1024, nullptr, d.words(64)));
    OK(cuCtxSynchronize());
}
void shared_index() {
    Driver d;
    d.run("probe_shared_index", 1, 64, d.words(64), uint32_t(16));
}
void shared_pointer() {
    Driver d;
    d.run("probe_shared_pointer", 1, 64, d.words(64), uint32_t(16));
}
void dynamic_index() {
    Driver d;
    OK(d.launch("probe_dynamic_index", 1, 64, 256, nullptr, d.words(64), uint32_t(64)));
    OK(cuCtxSynchronize());
}
void dynamic_below() {
    Driver d;
    OK(d.launch("probe_dynamic_index", 1, 64, 256, nullptr, d.words(64), -3));
    OK(cuCtxSynchronize());
}
void no_dynamic() {
    Driver d;
    d.run("probe_dynamic_index", 1, 64, d.words(64), uint32_t(0));
}
void shift() {
    Driver d;
    d.run("probe_shift", 1, 64, d.words(64), uint32_t(32));
}
void divide() {
    Driver d;
    d.run("probe_divide", 1, 64, d.words(64), uint32_t(0));
}
void local_index() {
    Driver d;
    d.run("probe_local", 1, 64, d.words(64), uint32_t(8));
}
void stack() {
    Driver d;
    d.run("probe_stack", 1, 64, d.words(64), uint32_t(600));
}
void spin() {
    Driver d;
    uint64_t flag = d.upload({0});
    d.run("probe_spin", 2, 64, flag);
}

#if defined(REWIT_STANDIN_RACES)
void race_count() { simple("probe_race_count"); }
void race_reuse() { simple("probe_race_reuse"); }
void race_lanes() {
    Driver d;
    d.run("probe_race_lanes", 2, 32, d.words(32), uint32_t(0));
}
void race_shuffled() {
    Driver d;
    d.run("probe_race_lanes", 1, 32, d.words(32), uint32_t(1));
}
void race_blocks() {
    Driver d;
    d.run("probe_race_blocks", 5, 64, d.upload({0}), d.words(5 * 64), d.words(64), uint32_t(0));
}
void race_flag() {
    Driver d;
    d.run("probe_race_flag", 1, 64, d.words(1), uint32_t(1));
}
void no_race() {
    Driver d;
    d.run("probe_race_lanes", 1, 32, d.words(32), uint32_t(2));
    d.run("probe_race_blocks", 5, 64, d.upload({0}), d.words(5 * 64), d.words(64), uint32_t(1));
    d.run("probe_race_flag", 3, 64, d.words(1), uint32_t(0));
}
#endif

}  // namespace

const std::vector<Case> CAUGHT = {
    {"write_far", write_far, "kernel probe_store, block (0, 0, 0), thread (37, 0, 0): illegal access: address"},
    {"write_near", write_near, "out-of-bounds write found after probe_store: address"},
    {"write_below", write_below, "out-of-bounds write found after probe_store: address"},
    {"read_far", read_far, "at byte 4096 of allocation 1 of 4096 bytes"},
#if defined(__SANITIZE_ADDRESS__)
    {"read_near", read_near, "ERROR: AddressSanitizer: use-after-poison"},
#endif
    {"use_after_free", use_after_free, "at byte 0 of allocation 1 of 256 bytes, which was freed"},
    {"launch_after_free", launch_after_free, "kernel probe_store: parameter 0 is no device memory: address"},
    {"copy_after_free", copy_after_free, "which was freed"},
    {"null_pointer", null_pointer, "access through a null pointer"},
    {"misaligned_parameter", misaligned_parameter, "misaligned for its type (4 bytes)"},
    {"misaligned_vector", misaligned_vector, "misaligned access: address"},
    {"misaligned_hint", misaligned_hint, "__ldg of 16 bytes at misaligned address"},
    {"host_pointer", host_pointer, "parameter 0 is no device memory"},
    {"divergent", divergent, "of 64 have left the kernel; thread 0 waits at the barrier of"},
    {"two_barriers", two_barriers, "divergent barrier: thread"},
    {"half_warp", half_warp, "with mask 0xffffffff for lanes 0xfff00000"},
    {"unnamed", unnamed, "calls it with mask 0x0000ffff, which does not name it"},
    {"unnamed_source", unnamed_source, "reads lane 20, which mask 0x0000ffff does not name"},
    {"missing_lanes", missing_lanes, "names lanes that the warp does not have (it has 0x000000ff)"},
    {"big_static", big_static, "53248 bytes of static shared memory with array `big`; at most 49152"},
    {"static_and_dynamic", static_and_dynamic,
     "32768 bytes of static and 40960 of dynamic shared memory; the device has 65536"},
    {"shared_index", shared_index, "index 16 is outside the array"},
    {"shared_pointer", shared_pointer, "a write beside shared array `tile`"},
    {"dynamic_index", dynamic_index, "thread (3, 0, 0): illegal access: outside shared memory"},
    {"dynamic_below", dynamic_below, "a write below dynamic shared memory"},
    {"no_dynamic", no_dynamic, "illegal access: outside shared memory"},
    {"shift", shift, "shift by 32, the width of the word or more"},
    {"divide", divide, "division by zero"},
    {"local_index", local_index, "index 8 is outside the array"},
    {"stack", stack, "the thread's stack is full"},
    {"spin", spin, "kernel probe_spin, block (0, 0, 0), thread (", "REWIT_STANDIN_TIMEOUT=1"},
#if defined(REWIT_STANDIN_RACES)
    {"race_count", race_count, "and nothing orders the two"},
    {"race_reuse", race_reuse, "and nothing orders the two"},
    {"race_lanes", race_lanes, "and nothing orders the two"},
    {"race_shuffled", race_shuffled, "and nothing orders the two"},
    {"race_blocks", race_blocks, "and nothing orders the two"},
    {"race_flag", race_flag, "and nothing orders the two"},
    {"no_race", no_race, nullptr},
#endif
};
