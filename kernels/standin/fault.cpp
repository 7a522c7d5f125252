// Reports: what a kernel did wrong, and where.
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <mutex>
#include <thread>

#include "engine.h"

namespace standin {
namespace {

const int SIGNALS[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
struct sigaction before[4];

void put(const char* text) {
    size_t n = strlen(text);
    while (n != 0) {
        ssize_t written = write(2, text, n);
        if (written <= 0) return;
        text += written;
        n -= size_t(written);
    }
}

[[noreturn]] void die() {
    signal(SIGABRT, SIG_DFL);
    abort();
}

void on_fault(int number, siginfo_t* info, void* context) {
    auto address = uintptr_t(info->si_addr);
    if (running() != nullptr) {
        char place[256], where[256], text[640];
        describe_place(place, sizeof place);
        if (info->si_code <= 0)
            snprintf(where, sizeof where, "the launch runs for more than %lu s: does it wait for another block?",
                     (unsigned long)settings.timeout);
        else if (number == SIGFPE) snprintf(where, sizeof where, "division by zero");
        else if (number == SIGILL) snprintf(where, sizeof where, "illegal instruction");
        else if (in_stack_guard(address)) snprintf(where, sizeof where, "illegal access: the thread's stack is full");
        else if (in_shared_guard(address)) snprintf(where, sizeof where, "illegal access: outside shared memory");
        else {
            int at = snprintf(where, sizeof where, "illegal access: ");
            describe_address(address, where + at, sizeof where - size_t(at));
        }
        snprintf(text, sizeof text, "stand-in for CUDA: %s%s\n", place, where);
        put(text);
        die();
    }
    // Not ours: whoever handled it before does.
    struct sigaction old = {};
    for (size_t i = 0; i < 4; i++)
        if (SIGNALS[i] == number) old = before[i];
    if (old.sa_flags & SA_SIGINFO) old.sa_sigaction(number, info, context);
    else if (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN) old.sa_handler(number);
    else signal(number, SIG_DFL);
}

}  // namespace

void fail(const char* format, ...) {
    char place[256], text[2560];
    describe_place(place, sizeof place);
    int at = snprintf(text, sizeof text, "stand-in for CUDA: %s", place);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + at, sizeof text - size_t(at) - 1, format, arguments);
    va_end(arguments);
    put(text);
    put("\n");
    die();
}

void install_fault_handler() {
    static bool installed = false;
    if (installed) return;
    installed = true;
#if STANDIN_ASAN
    __asan_set_error_report_callback([](const char*) {
        char place[256];
        describe_place(place, sizeof place);
        put("stand-in for CUDA: ");
        put(place);
        put("the access that AddressSanitizer reports above\n");
    });
#endif
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < 4; i++) sigaction(SIGNALS[i], &action, &before[i]);
}

namespace {

/// A signal stack for a thread that has none.
struct SignalStack {
    void* memory = nullptr;
    SignalStack() {
        stack_t old = {};
        if (sigaltstack(nullptr, &old) == 0 && !(old.ss_flags & SS_DISABLE)) return;
        stack_t stack = {};
        stack.ss_size = 64 * 1024;
        stack.ss_sp = memory = malloc(stack.ss_size);
        if (memory != nullptr) sigaltstack(&stack, nullptr);
    }
    ~SignalStack() {
        if (memory == nullptr) return;
        stack_t none = {};
        none.ss_flags = SS_DISABLE;
        sigaltstack(&none, nullptr);
        free(memory);
    }
};

std::mutex watch_lock;
bool watching = false;
std::chrono::steady_clock::time_point watch_since;
pthread_t watched;

}  // namespace

void prepare_thread() {
    static thread_local SignalStack stack;
    (void)stack;
}

Watch::Watch(const Launch&) {
    if (settings.timeout == 0) return;
    std::lock_guard<std::mutex> guard(watch_lock);
    watching = true;
    watch_since = std::chrono::steady_clock::now();
    watched = pthread_self();
    static bool started = false;
    if (started) return;
    started = true;
    std::thread([] {
        for (;;) {
            std::this_thread::sleep_for(std::chrono::milliseconds(500));
            std::lock_guard<std::mutex> guard(watch_lock);
            auto limit = std::chrono::seconds(settings.timeout);
            // The handler names the kernel and the thread.
            if (watching && std::chrono::steady_clock::now() - watch_since > limit) pthread_kill(watched, SIGILL);
        }
    }).detach();
}

Watch::~Watch() {
    if (settings.timeout == 0) return;
    std::lock_guard<std::mutex> guard(watch_lock);
    watching = false;
}

}  // namespace standin

// Kernels are compiled with the compiler's checks of alignment, array bounds, shifts and divisions, which call these.
namespace {
struct Where {
    const char* file;
    unsigned line, column;
};
struct Mismatch {
    Where where;
    const void* type;
    unsigned char log_align, kind;
};
using standin::fail;
}  // namespace

extern "C" {
__attribute__((noreturn)) void __ubsan_handle_type_mismatch_v1_abort(const Mismatch* m, uintptr_t address) {
    unsigned align = 1u << m->log_align;
    if (address == 0) fail("%s:%u: access through a null pointer", m->where.file, m->where.line);
    fail("%s:%u: misaligned access: address 0x%lx is no multiple of %u", m->where.file, m->where.line,
         (unsigned long)address, align);
}
__attribute__((noreturn)) void __ubsan_handle_out_of_bounds_abort(const Where* w, uintptr_t index) {
    fail("%s:%u: index %ld is outside the array", w->file, w->line, long(index));
}
__attribute__((noreturn)) void __ubsan_handle_shift_out_of_bounds_abort(const Where* w, uintptr_t, uintptr_t by) {
    fail("%s:%u: shift by %ld, the width of the word or more", w->file, w->line, long(by));
}
__attribute__((noreturn)) void __ubsan_handle_divrem_overflow_abort(const Where* w, uintptr_t, uintptr_t) {
    fail("%s:%u: division by zero", w->file, w->line);
}
}
