// Reports: what a kernel did wrong, and where.
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine.h"

namespace standin {
namespace {

struct sigaction before_segv, before_bus;

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
        if (in_stack_guard(address)) snprintf(where, sizeof where, "its stack overflows (64 KiB a thread)");
        else if (in_shared_guard(address)) snprintf(where, sizeof where, "access outside shared memory");
        else describe_address(address, where, sizeof where);
        snprintf(text, sizeof text, "stand-in for CUDA: %sillegal access: %s\n", place, where);
        put(text);
        die();
    }
    // Not ours: whoever handled it before does.
    const struct sigaction& before = number == SIGBUS ? before_bus : before_segv;
    if (before.sa_flags & SA_SIGINFO) {
        before.sa_sigaction(number, info, context);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        before.sa_handler(number);
    } else {
        signal(number, SIG_DFL);
    }
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
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &before_segv);
    sigaction(SIGBUS, &action, &before_bus);
}

void prepare_thread() {
    // Kept for the life of the thread, and of the process: a handful of threads make calls.
    static thread_local bool prepared = false;
    if (prepared) return;
    prepared = true;
    stack_t old = {};
    if (sigaltstack(nullptr, &old) == 0 && !(old.ss_flags & SS_DISABLE)) return;
    stack_t stack = {};
    stack.ss_size = 64 * 1024;
    stack.ss_sp = malloc(stack.ss_size);
    if (stack.ss_sp != nullptr) sigaltstack(&stack, nullptr);
}

}  // namespace standin
