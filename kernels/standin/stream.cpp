// Streams are queues: what is queued runs only when something synchronises, and among streams whose first operation may
// run a seeded random choice decides. The legacy default stream orders itself with every blocking stream, as in CUDA.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <deque>
#include <map>
#include <memory>
#include <set>

#include "engine.h"

namespace standin {

Result sticky = SUCCESS;

namespace {

struct Event {
    /// Records queued, and the latest of them that has run.
    uint64_t queued = 0, completed = 0;
    uint64_t nanoseconds = 0;
    bool timing = true;
};

struct Operation {
    /// Order of queueing over all streams.
    uint64_t number;
    std::function<void()> run;
    /// The record to wait for, if there is one.
    std::shared_ptr<Event> event;
    uint64_t version;
};

struct Stream {
    bool blocking = true;
    std::deque<Operation> queue;
};

Stream legacy;
std::map<void*, std::unique_ptr<Stream>> streams;
std::map<void*, std::shared_ptr<Event>> events;
uint64_t num_operations = 0;
uint64_t num_launches = 0;

/// The random order of streams, started again when the seed changes.
Random& order() {
    static uint64_t seed = settings.seed;
    static Random random(seed);
    if (seed != settings.seed) seed = settings.seed, random = Random(seed);
    return random;
}

Stream* find(void* handle) {
    if (handle == nullptr || handle == (void*)1) return &legacy;
    auto i = streams.find(handle);
    return i == streams.end() ? nullptr : i->second.get();
}

bool is_ready(const Stream& s) {
    if (s.queue.empty()) return false;
    const Operation& first = s.queue.front();
    if (first.event && first.event->completed < first.version) return false;
    if (&s == &legacy) {
        for (const auto& other : streams)
            if (other.second->blocking && !other.second->queue.empty() &&
                other.second->queue.front().number < first.number)
                return false;
        return true;
    }
    return !s.blocking || legacy.queue.empty() || legacy.queue.front().number > first.number;
}

/// Runs one operation of a random stream; false if there is none.
bool step() {
    std::vector<Stream*> ready;
    if (is_ready(legacy)) ready.push_back(&legacy);
    for (const auto& s : streams)
        if (is_ready(*s.second)) ready.push_back(s.second.get());
    if (ready.empty()) return false;
    Stream& s = *ready[order().below(uint32_t(ready.size()))];
    Operation operation = std::move(s.queue.front());
    s.queue.pop_front();
    if (operation.run && sticky == SUCCESS) operation.run();
    return true;
}

void drain(Stream& s) {
    while (!s.queue.empty() && step()) {}
}

void queue(Stream& s, std::function<void()> run) { s.queue.push_back({++num_operations, std::move(run), nullptr, 0}); }

uint64_t now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return uint64_t(t.tv_sec) * 1000000000u + uint64_t(t.tv_nsec);
}

/// Refuses a range that no allocation holds at the call; at the run it is fatal.
bool check_range(uint64_t address, uint64_t bytes, const char* what, bool fatal) {
    if (bytes == 0 || is_allocated(address, bytes)) return true;
    char where[256], text[400];
    describe_address(address, where, sizeof where);
    snprintf(text, sizeof text, "%s of %lu bytes: %s", what, (unsigned long)bytes, where);
    if (fatal) fail("%s", text);
    refuse(INVALID_VALUE, text);
    return false;
}

enum class Copy { HostToDevice, DeviceToHost, DeviceToDevice };

Result queue_copy(Copy kind, uint64_t to, uint64_t from, size_t bytes, void* stream, bool wait) {
    if (Result r = usable()) return r;
    Stream* s = find(stream);
    if (s == nullptr) return INVALID_HANDLE;
    if (kind != Copy::DeviceToHost && !check_range(to, bytes, "copy to device memory", false)) return INVALID_VALUE;
    if (kind != Copy::HostToDevice && !check_range(from, bytes, "copy from device memory", false)) return INVALID_VALUE;
    if (bytes != 0) {
        queue(*s, [=] {
            if (kind != Copy::DeviceToHost) check_range(to, bytes, "copy to device memory", true);
            if (kind != Copy::HostToDevice) check_range(from, bytes, "copy from device memory", true);
            memmove((void*)to, (const void*)from, bytes);
        });
    }
    if (wait) drain(*s);
    return sticky;
}

template <class T>
Result queue_fill(uint64_t to, T value, size_t count, void* stream) {
    if (Result r = usable()) return r;
    Stream* s = find(stream);
    if (s == nullptr) return INVALID_HANDLE;
    if (to % sizeof(T) != 0) return refuse(INVALID_VALUE, "fill of misaligned device memory");
    if (!check_range(to, count * sizeof(T), "fill of device memory", false)) return INVALID_VALUE;
    queue(*s, [=] {
        check_range(to, count * sizeof(T), "fill of device memory", true);
        for (size_t i = 0; i < count; i++) ((T*)to)[i] = value;
    });
    return SUCCESS;
}

/// Appends a kernel's name to the log the first time that it runs in this process.
void log_kernel(const Kernel& kernel) {
    static std::set<std::string> logged;
    if (settings.log.empty() || !logged.insert(kernel.name).second) return;
    FILE* f = fopen(settings.log.c_str(), "ae");
    if (f == nullptr) {
        fprintf(stderr, "stand-in for CUDA: cannot append to REWIT_STANDIN_LOG=%s\n", settings.log.c_str());
        return;
    }
    fprintf(f, "%s\n", kernel.name);
    fclose(f);
}

/// Checks that pointers point into allocations, at addresses that suit their types.
void check_parameters(const Launch& launch) {
    const Kernel& k = *launch.kernel;
    for (uint32_t i = 0; i < k.num_parameters; i++) {
        const Parameter& p = k.parameters[i];
        if (p.pointee_align == 0) continue;
        uint64_t address;
        memcpy(&address, launch.packed.data() + p.offset, sizeof address);
        if (address == 0) continue;
        if (address % p.pointee_align != 0)
            fail("kernel %s: parameter %u is 0x%lx, misaligned for its type (%u bytes)", k.name, i,
                 (unsigned long)address, p.pointee_align);
        if (!is_allocated(address, 0)) {
            char where[256];
            describe_address(address, where, sizeof where);
            fail("kernel %s: parameter %u is no device memory: %s", k.name, i, where);
        }
    }
}

}  // namespace

void drain_all() {
    while (step()) {}
}

Result queue_launch(Launch launch, void* stream) {
    Stream* s = find(stream);
    if (s == nullptr) return INVALID_HANDLE;
    launch.seed = Random::mix(settings.seed * 0x100000001b3u + ++num_launches);
    bool fails = settings.fail_kernel == launch.kernel->name;
    if (fails) settings.fail_kernel.clear();
    log_kernel(*launch.kernel);
    queue(*s, [launch = std::move(launch), fails] {
        if (fails) {
            sticky = LAUNCH_FAILED;
            return;
        }
        check_parameters(launch);
        run_grid(launch);
        check_canaries(launch.kernel->name);
    });
    return SUCCESS;
}

void drop_queues() {
    legacy.queue.clear();
    for (auto& s : streams) s.second->queue.clear();
}

void drop_streams() {
    drop_queues();
    streams.clear();
    events.clear();
}

Result refuse(Result result, const std::string& why) {
    fprintf(stderr, "stand-in for CUDA: call refused: %s\n", why.c_str());
    return result;
}

}  // namespace standin

using namespace standin;
using Guard = std::lock_guard<std::recursive_mutex>;

STANDIN_API int cuStreamCreate(void** stream, unsigned flags) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    if (stream == nullptr || flags > 1) return INVALID_VALUE;
    auto s = std::make_unique<Stream>();
    s->blocking = flags == 0;
    *stream = s.get();
    streams[*stream] = std::move(s);
    return SUCCESS;
}

STANDIN_API int cuStreamCreateWithPriority(void** stream, unsigned flags, int) { return cuStreamCreate(stream, flags); }

STANDIN_API int cuStreamDestroy_v2(void* stream) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    auto i = streams.find(stream);
    if (i == streams.end()) return INVALID_HANDLE;
    drain(*i->second);
    streams.erase(i);
    return sticky;
}

STANDIN_API int cuStreamSynchronize(void* stream) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    Stream* s = find(stream);
    if (s == nullptr) return INVALID_HANDLE;
    drain(*s);
    return sticky;
}

STANDIN_API int cuStreamQuery(void* stream) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    Stream* s = find(stream);
    if (s == nullptr) return INVALID_HANDLE;
    if (s->queue.empty()) return SUCCESS;
    step();
    return sticky != SUCCESS ? sticky : NOT_READY;
}

STANDIN_API int cuStreamWaitEvent(void* stream, void* event, unsigned) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    Stream* s = find(stream);
    auto e = events.find(event);
    if (s == nullptr || e == events.end()) return INVALID_HANDLE;
    s->queue.push_back({++num_operations, nullptr, e->second, e->second->queued});
    return SUCCESS;
}

STANDIN_API int cuCtxSynchronize(void) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    drain_all();
    return sticky;
}

STANDIN_API int cuEventCreate(void** event, unsigned flags) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    if (event == nullptr) return INVALID_VALUE;
    auto e = std::make_shared<Event>();
    e->timing = (flags & 2) == 0;
    *event = e.get();
    events[*event] = std::move(e);
    return SUCCESS;
}

STANDIN_API int cuEventDestroy_v2(void* event) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    return events.erase(event) != 0 ? SUCCESS : INVALID_HANDLE;
}

STANDIN_API int cuEventRecord(void* event, void* stream) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    Stream* s = find(stream);
    auto e = events.find(event);
    if (s == nullptr || e == events.end()) return INVALID_HANDLE;
    std::shared_ptr<Event> shared = e->second;
    uint64_t version = ++shared->queued;
    queue(*s, [shared, version] {
        shared->completed = max(shared->completed, version);
        shared->nanoseconds = now();
    });
    return SUCCESS;
}

STANDIN_API int cuEventSynchronize(void* event) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    auto e = events.find(event);
    if (e == events.end()) return INVALID_HANDLE;
    while (e->second->completed < e->second->queued && step()) {}
    return sticky;
}

STANDIN_API int cuEventQuery(void* event) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    auto e = events.find(event);
    if (e == events.end()) return INVALID_HANDLE;
    if (e->second->completed == e->second->queued) return SUCCESS;
    step();
    return sticky != SUCCESS ? sticky : NOT_READY;
}

STANDIN_API int cuEventElapsedTime(float* milliseconds, void* from, void* to) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    auto a = events.find(from), b = events.find(to);
    if (milliseconds == nullptr) return INVALID_VALUE;
    if (a == events.end() || b == events.end() || !a->second->timing || !b->second->timing) return INVALID_HANDLE;
    if (a->second->queued == 0 || b->second->queued == 0) return INVALID_HANDLE;
    if (a->second->completed < a->second->queued || b->second->completed < b->second->queued) return NOT_READY;
    *milliseconds = float(double(int64_t(b->second->nanoseconds - a->second->nanoseconds)) * 1e-6);
    return SUCCESS;
}

STANDIN_API int cuEventElapsedTime_v2(float* milliseconds, void* from, void* to) {
    return cuEventElapsedTime(milliseconds, from, to);
}

STANDIN_API int cuMemAllocAsync(uint64_t* address, size_t bytes, void* stream) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    if (find(stream) == nullptr) return INVALID_HANDLE;
    // Memory that is freed in a queue is mapped until the queue runs.
    if (memory_mapped() + bytes > settings.memory) drain_all();
    return allocate(address, bytes);
}

STANDIN_API int cuMemFreeAsync(uint64_t address, void* stream) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    Stream* s = find(stream);
    if (s == nullptr) return INVALID_HANDLE;
    if (address == 0) return SUCCESS;
    if (release(address) != SUCCESS) return refuse(INVALID_VALUE, "free of an address that is not allocated");
    queue(*s, [address] { retire(address); });
    return SUCCESS;
}

STANDIN_API int cuMemcpyHtoD_v2(uint64_t to, const void* from, size_t bytes) {
    Guard guard(the_lock);
    return queue_copy(Copy::HostToDevice, to, uint64_t(from), bytes, nullptr, true);
}

STANDIN_API int cuMemcpyDtoH_v2(void* to, uint64_t from, size_t bytes) {
    Guard guard(the_lock);
    return queue_copy(Copy::DeviceToHost, uint64_t(to), from, bytes, nullptr, true);
}

STANDIN_API int cuMemcpyDtoD_v2(uint64_t to, uint64_t from, size_t bytes) {
    Guard guard(the_lock);
    return queue_copy(Copy::DeviceToDevice, to, from, bytes, nullptr, false);
}

STANDIN_API int cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void* stream) {
    Guard guard(the_lock);
    return queue_copy(Copy::HostToDevice, to, uint64_t(from), bytes, stream, false);
}

STANDIN_API int cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, void* stream) {
    Guard guard(the_lock);
    return queue_copy(Copy::DeviceToHost, uint64_t(to), from, bytes, stream, false);
}

STANDIN_API int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void* stream) {
    Guard guard(the_lock);
    return queue_copy(Copy::DeviceToDevice, to, from, bytes, stream, false);
}

STANDIN_API int cuMemsetD8Async(uint64_t to, unsigned char value, size_t count, void* stream) {
    Guard guard(the_lock);
    return queue_fill<uint8_t>(to, value, count, stream);
}

STANDIN_API int cuMemsetD32Async(uint64_t to, unsigned value, size_t count, void* stream) {
    Guard guard(the_lock);
    return queue_fill<uint32_t>(to, value, count, stream);
}
