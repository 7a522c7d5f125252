// A stand-in for libnvidia-ml: GPUs that are not there, with answers that a test sets.
//
// Built by tests/nvml.rs with g++ and found by REWIT_LIBNVML. It exports what src/measure/nvml uses, with
// the signatures of nvml.h (NVML 12), and nothing else: a function that is asked for beyond these is one
// that the wrapper reports as missing.
//
// REWIT_STANDIN_NVML sets answers, separated by commas:
//   gpus=N             that many GPUs [1]; number i is on PCI bus i
//   all=CODE           nvmlReturn_t of every function that asks a GPU [0]
//   NAME=CODE          of one of them, by what follows nvmlDeviceGet, such as PowerUsage=3
//   init=CODE          of nvmlInit
//   count=CODE         of nvmlDeviceGetCount
//   lost=I             GPU I is lost: no handle for it
//   more               nvmlDeviceGetCurrentClocksThrottleReasons answers with a bit that has no name, too
//   idle               no kernel runs
//   driver=CODE        of nvmlSystemGetDriverVersion
// Codes are those of nvmlReturn_t: 3 not supported, 15 lost, 999 unknown.
//
// The name says that this is a stand-in, and so does the driver's version: result files with either are
// refused.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#define STANDIN_API extern "C" __attribute__((visibility("default")))

namespace {

constexpr int SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, INSUFFICIENT_SIZE = 7, LOST = 15;

/// The text after "NAME=" in the settings, or after "NAME" alone; null without.
const char* setting(const char* name) {
    const char* at = std::getenv("REWIT_STANDIN_NVML");
    size_t len = std::strlen(name);
    while (at != nullptr && *at != 0) {
        if (std::strncmp(at, name, len) == 0) {
            if (at[len] == '=') return at + len + 1;
            if (at[len] == ',' || at[len] == 0) return at + len;
        }
        at = std::strchr(at, ',');
        if (at != nullptr) at++;
    }
    return nullptr;
}

int number(const char* name, int otherwise) {
    const char* text = setting(name);
    return text == nullptr ? otherwise : std::atoi(text);
}

int code(const char* name) { return number(name, number("all", SUCCESS)); }

bool ready = false;
/// How often a clock was asked for; clocks under load go round.
unsigned asked = 0;

struct Gpu {
    unsigned index;
};
Gpu gpus[16];

unsigned count() {
    int n = number("gpus", 1);
    return unsigned(n < 0 ? 0 : n > 16 ? 16 : n);
}

bool is_gpu(const void* device) {
    for (unsigned i = 0; i < count(); i++)
        if (device == &gpus[i]) return true;
    return false;
}

int copy(const char* from, char* to, unsigned length) {
    if (std::strlen(from) >= length) return INSUFFICIENT_SIZE;
    std::strcpy(to, from);
    return SUCCESS;
}

/// nvmlPciInfo_t.
struct PciInfo {
    char bus_id_legacy[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char bus_id[32];
};
static_assert(sizeof(PciInfo) == 68, "as nvml.h has it");

/// nvmlMemory_v2_t.
struct Memory {
    unsigned version;
    unsigned long long total, reserved, free, used;
};

/// nvmlUtilization_t.
struct Utilization {
    unsigned gpu, memory;
};

}  // namespace

/// What every function that asks a GPU begins with.
#define ASK(name, pointer)                                     \
    do {                                                       \
        if (!ready) return UNINITIALIZED;                      \
        if (!is_gpu(gpu) || !(pointer)) return INVALID_ARGUMENT; \
        if (int r = code(name)) return r;                      \
    } while (false)

STANDIN_API int nvmlInit_v2() {
    if (int r = number("init", SUCCESS)) return r;
    for (unsigned i = 0; i < 16; i++) gpus[i].index = i;
    ready = true;
    return SUCCESS;
}

STANDIN_API int nvmlShutdown() {
    if (!ready) return UNINITIALIZED;
    ready = false;
    return SUCCESS;
}

STANDIN_API int nvmlSystemGetDriverVersion(char* version, unsigned length) {
    if (!ready) return UNINITIALIZED;
    if (int r = number("driver", SUCCESS)) return r;
    return copy("stand-in 1", version, length);
}

STANDIN_API int nvmlDeviceGetCount_v2(unsigned* n) {
    if (!ready) return UNINITIALIZED;
    if (int r = number("count", SUCCESS)) return r;
    *n = count();
    return SUCCESS;
}

STANDIN_API int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** gpu) {
    if (!ready) return UNINITIALIZED;
    if (index >= count()) return INVALID_ARGUMENT;
    if (number("lost", -1) == int(index)) return LOST;
    *gpu = &gpus[index];
    return SUCCESS;
}

STANDIN_API int nvmlDeviceGetName(void* gpu, char* name, unsigned length) {
    ASK("Name", name);
    return copy("NVML stand-in (no GPU)", name, length);
}

STANDIN_API int nvmlDeviceGetPciInfo_v3(void* gpu, PciInfo* info) {
    ASK("PciInfo", info);
    std::memset(info, 0, sizeof *info);
    info->bus = static_cast<Gpu*>(gpu)->index;
    std::snprintf(info->bus_id, sizeof info->bus_id, "00000000:%02X:00.0", info->bus);
    std::snprintf(info->bus_id_legacy, sizeof info->bus_id_legacy, "0000:%02X:00.0", info->bus);
    return SUCCESS;
}

STANDIN_API int nvmlDeviceGetMemoryInfo_v2(void* gpu, Memory* memory) {
    ASK("MemoryInfo", memory);
    if (memory->version != (sizeof *memory | 2u << 24)) return INVALID_ARGUMENT;
    *memory = {memory->version, 80000000000ull, 500000000ull, 78500000000ull, 1000000000ull};
    return SUCCESS;
}

STANDIN_API int nvmlDeviceGetClockInfo(void* gpu, int kind, unsigned* clock) {
    ASK("ClockInfo", clock);
    if (kind == 1) {  // multiprocessors: 1980, 1965, 1950, 1980 ... MHz
        *clock = 1980 - 15 * (asked++ % 3);
    } else if (kind == 2) {  // memory
        *clock = 2619;
    } else {
        return INVALID_ARGUMENT;
    }
    return SUCCESS;
}

STANDIN_API int nvmlDeviceGetMaxClockInfo(void* gpu, int kind, unsigned* clock) {
    ASK("MaxClockInfo", clock);
    if (kind != 1 && kind != 2) return INVALID_ARGUMENT;
    *clock = kind == 1 ? 1995 : 2620;
    return SUCCESS;
}

STANDIN_API int nvmlDeviceGetEnforcedPowerLimit(void* gpu, unsigned* milliwatts) {
    ASK("EnforcedPowerLimit", milliwatts);
    *milliwatts = 699500;
    return SUCCESS;
}

STANDIN_API int nvmlDeviceGetPowerUsage(void* gpu, unsigned* milliwatts) {
    ASK("PowerUsage", milliwatts);
    *milliwatts = 412345;
    return SUCCESS;
}

STANDIN_API int nvmlDeviceGetEccMode(void* gpu, int* current, int* pending) {
    ASK("EccMode", current != nullptr && pending);
    *current = 1;
    *pending = 0;
    return SUCCESS;
}

STANDIN_API int nvmlDeviceGetCurrPcieLinkGeneration(void* gpu, unsigned* value) {
    ASK("CurrPcieLinkGeneration", value);
    *value = 4;
    return SUCCESS;
}

STANDIN_API int nvmlDeviceGetCurrPcieLinkWidth(void* gpu, unsigned* value) {
    ASK("CurrPcieLinkWidth", value);
    *value = 8;
    return SUCCESS;
}

STANDIN_API int nvmlDeviceGetMaxPcieLinkGeneration(void* gpu, unsigned* value) {
    ASK("MaxPcieLinkGeneration", value);
    *value = 5;
    return SUCCESS;
}

STANDIN_API int nvmlDeviceGetMaxPcieLinkWidth(void* gpu, unsigned* value) {
    ASK("MaxPcieLinkWidth", value);
    *value = 16;
    return SUCCESS;
}

STANDIN_API int nvmlDeviceGetTemperature(void* gpu, int sensor, unsigned* celsius) {
    ASK("Temperature", celsius);
    if (sensor != 0) return INVALID_ARGUMENT;
    *celsius = 61;
    return SUCCESS;
}

STANDIN_API int nvmlDeviceGetUtilizationRates(void* gpu, Utilization* rates) {
    ASK("UtilizationRates", rates);
    bool idle = setting("idle") != nullptr;
    *rates = {idle ? 0u : 87u, 40};
    return SUCCESS;
}

STANDIN_API int nvmlDeviceGetCurrentClocksThrottleReasons(void* gpu, unsigned long long* reasons) {
    ASK("CurrentClocksThrottleReasons", reasons);
    *reasons = 0x4 | (setting("more") != nullptr ? 1ull << 40 : 0);  // software power cap
    return SUCCESS;
}
