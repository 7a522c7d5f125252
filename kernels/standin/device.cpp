// The device, its contexts, modules and launches; settings and injected faults.
#include <stdio.h>
#include <stdlib.h>

#include <map>
#include <memory>
#include <set>

#include "engine.h"

namespace standin {

namespace {

uint64_t number(const char* name, uint64_t otherwise) {
    const char* text = getenv(name);
    if (text == nullptr || *text == 0) return otherwise;
    char* end = nullptr;
    uint64_t value = strtoull(text, &end, 0);
    if (*end != 0) {
        fprintf(stderr, "stand-in for CUDA: %s=%s is no number\n", name, text);
        exit(2);
    }
    return value;
}

std::string word(const char* name) {
    const char* text = getenv(name);
    return text == nullptr ? "" : text;
}

Settings from_environment() {
    Settings s;
    s.capability = int(number("REWIT_STANDIN_CC", 75));
    s.memory = number("REWIT_STANDIN_MEMORY", uint64_t(8) << 30);
    s.seed = number("REWIT_STANDIN_SEED", 1);
    s.threads = int(number("REWIT_STANDIN_THREADS", 1));
    s.fail_allocation = number("REWIT_STANDIN_FAIL_ALLOCATION", 0);
    s.fail_kernel = word("REWIT_STANDIN_FAIL_KERNEL");
    s.device_lost = number("REWIT_STANDIN_DEVICE_LOST", 0) != 0;
    s.no_device = number("REWIT_STANDIN_NO_DEVICE", 0) != 0;
    s.log = word("REWIT_STANDIN_LOG");
    s.timeout = number("REWIT_STANDIN_TIMEOUT", 600);
    return s;
}

std::vector<Kernel>& registry() {
    static std::vector<Kernel> all;
    return all;
}

bool initialised = false;
int the_context;
int num_retained = 0;
thread_local std::vector<void*> current;

/// A loaded module: which kernels it offers.
struct Module {
    /// Stem of the file whose kernels it holds; empty for all.
    std::string stem;
};

/// A kernel of a loaded module, with what cuFuncSetAttribute set.
struct Function {
    const Kernel* kernel;
    Module* module;
    uint32_t max_dynamic;
};

std::set<Module*> modules;
std::map<std::pair<Module*, std::string>, std::unique_ptr<Function>> functions;

Function* find_function(void* handle) {
    for (const auto& f : functions)
        if (f.second.get() == handle) return f.second.get();
    return nullptr;
}

std::string stem_of(const char* file) {
    std::string path = file;
    size_t slash = path.rfind('/');
    if (slash != std::string::npos) path = path.substr(slash + 1);
    return path.substr(0, path.find('.'));
}

/// The stem that a nul-terminated image names, or "" for any other image.
std::string stem_of_image(const void* image) {
    auto text = static_cast<const char*>(image);
    size_t n = 0;
    while (n < 64 && ((text[n] >= 'a' && text[n] <= 'z') || (text[n] >= '0' && text[n] <= '9') || text[n] == '_')) n++;
    return n == 64 || text[n] != 0 ? "" : std::string(text, n);
}

}  // namespace

std::recursive_mutex the_lock;
Settings settings = from_environment();

uint32_t Settings::shared_optin() const {
    switch (capability) {
        case 75: return 64 * 1024;
        case 80:
        case 87: return 163 * 1024;
        case 86:
        case 89:
        case 120:
        case 121: return 99 * 1024;
        default: return 227 * 1024;
    }
}

void add_kernel(const Kernel& kernel) {
    for (const Kernel& k : registry()) {
        if (strcmp(k.name, kernel.name) != 0) continue;
        fprintf(stderr, "stand-in for CUDA: kernel %s is exported twice, by %s and %s\n", kernel.name, k.file,
                kernel.file);
        abort();
    }
    registry().push_back(kernel);
}

const std::vector<Kernel>& kernels() { return registry(); }

Result usable() {
    if (!initialised) return NOT_INITIALIZED;
    if (settings.device_lost) return DEVICE_UNAVAILABLE;
    if (sticky != SUCCESS) return sticky;
    if (current.empty() || current.back() == nullptr || num_retained == 0) return INVALID_CONTEXT;
    return SUCCESS;
}

}  // namespace standin

using namespace standin;
using Guard = std::lock_guard<std::recursive_mutex>;

#define CALL()                                \
    Guard guard(the_lock);                    \
    if (!initialised) return NOT_INITIALIZED; \
    if (settings.device_lost) return DEVICE_UNAVAILABLE

STANDIN_API int rewit_standin_version(void) { return 1; }

/// Makes the next launch of `kernel` fail with 719 when it runs; null or "" for none.
STANDIN_API void rewit_standin_fail_kernel(const char* kernel) {
    Guard guard(the_lock);
    settings.fail_kernel = kernel == nullptr ? "" : kernel;
}

/// Makes every call return 46 until called with 0.
STANDIN_API void rewit_standin_lose_device(int lost) {
    Guard guard(the_lock);
    settings.device_lost = lost != 0;
}

/// Makes cuInit return 100 until called with 0.
STANDIN_API void rewit_standin_no_device(int none) {
    Guard guard(the_lock);
    settings.no_device = none != 0;
}

/// Compute capability from now on, 10 * major + minor.
STANDIN_API void rewit_standin_set_capability(int capability) {
    Guard guard(the_lock);
    settings.capability = capability;
}

/// Seed of the random orders from now on.
STANDIN_API void rewit_standin_set_seed(uint64_t seed) {
    Guard guard(the_lock);
    settings.seed = seed;
}

/// Forgets injected faults and the error of a failed kernel, with all queued work.
STANDIN_API void rewit_standin_recover(void) {
    Guard guard(the_lock);
    if (sticky != SUCCESS) drop_queues();
    sticky = SUCCESS;
    settings.fail_allocation = 0;
    settings.fail_kernel.clear();
    settings.device_lost = settings.no_device = false;
}

STANDIN_API unsigned rewit_standin_num_kernels(void) { return unsigned(kernels().size()); }

/// Name of kernel `index`, or null.
STANDIN_API const char* rewit_standin_kernel_name(unsigned index) {
    return index < kernels().size() ? kernels()[index].name : nullptr;
}

STANDIN_API int cuInit(unsigned flags) {
    Guard guard(the_lock);
    if (flags != 0) return INVALID_VALUE;
    if (settings.no_device) return NO_DEVICE;
    if (settings.device_lost) return DEVICE_UNAVAILABLE;
    initialised = true;
    install_fault_handler();
    return SUCCESS;
}

STANDIN_API int cuDriverGetVersion(int* version) {
    if (version == nullptr) return INVALID_VALUE;
    *version = 13000;
    return SUCCESS;
}

STANDIN_API int cuDeviceGetCount(int* count) {
    CALL();
    if (count == nullptr) return INVALID_VALUE;
    *count = 1;
    return SUCCESS;
}

STANDIN_API int cuDeviceGet(int* device, int ordinal) {
    CALL();
    if (device == nullptr) return INVALID_VALUE;
    if (ordinal != 0) return INVALID_DEVICE;
    *device = 0;
    return SUCCESS;
}

STANDIN_API int cuDeviceGetName(char* name, int bytes, int device) {
    CALL();
    if (name == nullptr || bytes <= 0) return INVALID_VALUE;
    if (device != 0) return INVALID_DEVICE;
    snprintf(name, size_t(bytes), "CPU stand-in for CUDA (no GPU)");
    return SUCCESS;
}

STANDIN_API int cuDeviceGetUuid_v2(unsigned char* uuid, int device) {
    CALL();
    if (uuid == nullptr) return INVALID_VALUE;
    if (device != 0) return INVALID_DEVICE;
    memset(uuid, 0, 16);
    return SUCCESS;
}

STANDIN_API int cuDeviceGetUuid(unsigned char* uuid, int device) { return cuDeviceGetUuid_v2(uuid, device); }

STANDIN_API int cuDeviceTotalMem_v2(size_t* bytes, int device) {
    CALL();
    if (bytes == nullptr) return INVALID_VALUE;
    if (device != 0) return INVALID_DEVICE;
    *bytes = settings.memory;
    return SUCCESS;
}

STANDIN_API int cuDeviceGetAttribute(int* value, int attribute, int device) {
    CALL();
    if (value == nullptr) return INVALID_VALUE;
    if (device != 0) return INVALID_DEVICE;
    switch (attribute) {
        case 1: *value = 1024; break;  // threads per block
        case 2:
        case 3: *value = 1024; break;        // block x, y
        case 4: *value = 64; break;          // block z
        case 5: *value = 0x7fffffff; break;  // grid x
        case 6:
        case 7: *value = 65535; break;                          // grid y, z
        case 8: *value = int(Settings::shared_default); break;  // shared memory per block
        case 9: *value = 64 * 1024; break;                      // constant memory
        case 10: *value = 32; break;                            // warp size
        case 12: *value = 65536; break;                         // registers per block
        case 13: *value = 1000000; break;                       // clock, kHz
        case 16: *value = 2; break;                             // multiprocessors
        case 31: *value = 1; break;                             // concurrent kernels
        case 33:
        case 34:
        case 50: *value = 0; break;                                        // PCI bus, device, domain
        case 36: *value = 1000000; break;                                  // memory clock, kHz
        case 37: *value = 64; break;                                       // memory bus, bits
        case 38: *value = 4 << 20; break;                                  // L2 cache
        case 39: *value = settings.capability == 75 ? 1024 : 2048; break;  // threads per multiprocessor
        case 40: *value = 1; break;                                        // asynchronous copy engines
        case 41: *value = 1; break;                                        // unified addressing
        case 75: *value = settings.capability / 10; break;
        case 76: *value = settings.capability % 10; break;
        case 81: *value = int(settings.shared_optin()) + 1024; break;  // shared memory per multiprocessor
        case 82: *value = 65536; break;                                // registers per multiprocessor
        case 97: *value = int(settings.shared_optin()); break;         // shared memory per block, opt-in
        case 106: *value = 16; break;                                  // blocks per multiprocessor
        case 115: *value = 1; break;                                   // memory pools
        default: *value = 0; break;
    }
    return SUCCESS;
}

STANDIN_API int cuDevicePrimaryCtxRetain(void** context, int device) {
    CALL();
    if (context == nullptr) return INVALID_VALUE;
    if (device != 0) return INVALID_DEVICE;
    num_retained++;
    *context = &the_context;
    return SUCCESS;
}

STANDIN_API int cuDevicePrimaryCtxReset_v2(int device) {
    Guard guard(the_lock);
    if (device != 0) return INVALID_DEVICE;
    drop_streams();
    retire_all();
    functions.clear();
    for (Module* m : modules) delete m;
    modules.clear();
    sticky = SUCCESS;
    return SUCCESS;
}

STANDIN_API int cuDevicePrimaryCtxRelease_v2(int device) {
    Guard guard(the_lock);
    if (device != 0) return INVALID_DEVICE;
    if (num_retained == 0) return INVALID_CONTEXT;
    if (--num_retained == 0) {
        if (sticky == SUCCESS) drain_all();
        cuDevicePrimaryCtxReset_v2(0);
    }
    return SUCCESS;
}

STANDIN_API int cuDevicePrimaryCtxSetFlags_v2(int device, unsigned) {
    CALL();
    return device == 0 ? SUCCESS : INVALID_DEVICE;
}

STANDIN_API int cuDevicePrimaryCtxGetState(int device, unsigned* flags, int* active) {
    CALL();
    if (flags == nullptr || active == nullptr) return INVALID_VALUE;
    if (device != 0) return INVALID_DEVICE;
    *flags = 0;
    *active = num_retained != 0;
    return SUCCESS;
}

STANDIN_API int cuCtxCreate_v2(void** context, unsigned, int device) {
    if (int r = cuDevicePrimaryCtxRetain(context, device)) return r;
    current.push_back(*context);
    return SUCCESS;
}

STANDIN_API int cuCtxDestroy_v2(void* context) {
    CALL();
    if (context != &the_context) return INVALID_CONTEXT;
    if (!current.empty() && current.back() == context) current.pop_back();
    return cuDevicePrimaryCtxRelease_v2(0);
}

STANDIN_API int cuCtxSetCurrent(void* context) {
    CALL();
    if (context != nullptr && context != &the_context) return INVALID_CONTEXT;
    if (current.empty()) current.push_back(context);
    else current.back() = context;
    return SUCCESS;
}

STANDIN_API int cuCtxGetCurrent(void** context) {
    CALL();
    if (context == nullptr) return INVALID_VALUE;
    *context = current.empty() ? nullptr : current.back();
    return SUCCESS;
}

STANDIN_API int cuCtxPushCurrent_v2(void* context) {
    CALL();
    if (context != &the_context) return INVALID_CONTEXT;
    current.push_back(context);
    return SUCCESS;
}

STANDIN_API int cuCtxPopCurrent_v2(void** context) {
    CALL();
    if (current.empty()) return INVALID_CONTEXT;
    if (context != nullptr) *context = current.back();
    current.pop_back();
    return SUCCESS;
}

STANDIN_API int cuCtxGetDevice(int* device) {
    CALL();
    if (device == nullptr) return INVALID_VALUE;
    if (current.empty() || current.back() == nullptr) return INVALID_CONTEXT;
    *device = 0;
    return SUCCESS;
}

STANDIN_API int cuCtxGetApiVersion(void* context, unsigned* version) {
    CALL();
    if (version == nullptr) return INVALID_VALUE;
    if (context != nullptr && context != &the_context) return INVALID_CONTEXT;
    *version = 3020;
    return SUCCESS;
}

STANDIN_API int cuModuleLoadData(void** module, const void* image) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    if (module == nullptr || image == nullptr) return INVALID_VALUE;
    std::string stem = stem_of_image(image);
    if (!stem.empty()) {
        bool known = false;
        for (const Kernel& k : kernels()) known |= stem_of(k.file) == stem;
        if (!known) return refuse(INVALID_IMAGE, "no kernel is exported by " + stem + ".cu");
    }
    auto m = new Module{stem};
    modules.insert(m);
    *module = m;
    return SUCCESS;
}

STANDIN_API int cuModuleLoadDataEx(void** module, const void* image, unsigned, int*, void**) {
    return cuModuleLoadData(module, image);
}

STANDIN_API int cuModuleLoadFatBinary(void** module, const void* image) { return cuModuleLoadData(module, image); }

STANDIN_API int cuModuleUnload(void* module) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    auto m = static_cast<Module*>(module);
    if (modules.erase(m) == 0) return INVALID_HANDLE;
    drain_all();
    for (auto i = functions.begin(); i != functions.end();) i = i->first.first == m ? functions.erase(i) : std::next(i);
    delete m;
    return sticky;
}

STANDIN_API int cuModuleGetFunction(void** function, void* module, const char* name) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    auto m = static_cast<Module*>(module);
    if (function == nullptr || name == nullptr) return INVALID_VALUE;
    if (modules.count(m) == 0) return INVALID_HANDLE;
    for (const Kernel& k : kernels()) {
        if (strcmp(k.name, name) != 0 || (!m->stem.empty() && stem_of(k.file) != m->stem)) continue;
        auto& slot = functions[{m, name}];
        if (!slot) slot.reset(new Function{&k, m, Settings::shared_default});
        *function = slot.get();
        return SUCCESS;
    }
    return NOT_FOUND;
}

STANDIN_API int cuFuncSetAttribute(void* function, int attribute, int value) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    Function* f = find_function(function);
    if (f == nullptr) return INVALID_HANDLE;
    if (attribute == 8) {
        if (value < 0 || uint32_t(value) > settings.shared_optin()) return INVALID_VALUE;
        f->max_dynamic = uint32_t(value);
        return SUCCESS;
    }
    return attribute == 9 && value >= -1 && value <= 100 ? SUCCESS : INVALID_VALUE;
}

STANDIN_API int cuFuncGetAttribute(int* value, int attribute, void* function) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    Function* f = find_function(function);
    if (f == nullptr) return INVALID_HANDLE;
    if (value == nullptr) return INVALID_VALUE;
    switch (attribute) {
        case 0: *value = int(f->kernel->max_threads); return SUCCESS;
        case 4: *value = 32; return SUCCESS;  // registers: the stand-in has none
        case 5:
        case 6: *value = settings.capability; return SUCCESS;
        case 8: *value = int(f->max_dynamic); return SUCCESS;
        case 1:
        case 2:
        case 3:
        case 7:
        case 9: *value = 0; return SUCCESS;
        default: return INVALID_VALUE;
    }
}

STANDIN_API int cuFuncGetParamInfo(void* function, size_t index, size_t* offset, size_t* bytes) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    Function* f = find_function(function);
    if (f == nullptr) return INVALID_HANDLE;
    if (index >= f->kernel->num_parameters) return INVALID_VALUE;
    if (offset != nullptr) *offset = f->kernel->parameters[index].offset;
    if (bytes != nullptr) *bytes = f->kernel->parameters[index].size;
    return SUCCESS;
}

STANDIN_API int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void* function, int threads,
                                                            size_t dynamic_bytes) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    if (blocks == nullptr || threads <= 0) return INVALID_VALUE;
    if (find_function(function) == nullptr) return INVALID_HANDLE;
    int by_threads = (settings.capability == 75 ? 1024 : 2048) / threads;
    int by_shared = dynamic_bytes == 0 ? 16 : int((settings.shared_optin() + 1024) / (dynamic_bytes + 1024));
    *blocks = min(min(by_threads, by_shared), 16);
    return SUCCESS;
}

STANDIN_API int cuLaunchKernel(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                               unsigned block_y, unsigned block_z, unsigned dynamic_bytes, void* stream,
                               void** parameters, void** extra) {
    Guard guard(the_lock);
    if (Result r = usable()) return r;
    Function* f = find_function(function);
    if (f == nullptr) return INVALID_HANDLE;
    const Kernel& k = *f->kernel;
    std::string name = std::string("kernel ") + k.name + ": ";
    if (extra != nullptr) return refuse(NOT_SUPPORTED, name + "parameters in `extra`");
    if (grid_x == 0 || grid_y == 0 || grid_z == 0 || block_x == 0 || block_y == 0 || block_z == 0)
        return refuse(INVALID_VALUE, name + "an empty grid or block");
    if (grid_x > 0x7fffffff || grid_y > 65535 || grid_z > 65535)
        return refuse(INVALID_VALUE, name + "a grid beyond (2^31 - 1, 65535, 65535) blocks");
    uint64_t threads = uint64_t(block_x) * block_y * block_z;
    if (block_x > 1024 || block_y > 1024 || block_z > 64 || threads > 1024)
        return refuse(INVALID_VALUE, name + "a block of more than 1024 threads");
    if (threads > k.max_threads)
        return refuse(
            LAUNCH_OUT_OF_RESOURCES,
            name + std::to_string(threads) + " threads a block; it was compiled for " + std::to_string(k.max_threads));
    if (dynamic_bytes > f->max_dynamic || dynamic_bytes > settings.shared_optin())
        return refuse(INVALID_VALUE, name + std::to_string(dynamic_bytes) + " bytes of dynamic shared memory; " +
                                         std::to_string(f->max_dynamic) +
                                         " are allowed (cuFuncSetAttribute), the device has " +
                                         std::to_string(settings.shared_optin()));
    if (k.num_parameters != 0 && parameters == nullptr) return refuse(INVALID_VALUE, name + "no parameters");
    Launch launch{&k, {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, dynamic_bytes, {}, 0};
    launch.packed.resize(k.packed_bytes);
    for (uint32_t i = 0; i < k.num_parameters; i++)
        memcpy(&launch.packed[k.parameters[i].offset], parameters[i], k.parameters[i].size);
    return queue_launch(std::move(launch), stream);
}

STANDIN_API int cuLaunchCooperativeKernel(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                                          void*, void**) {
    return NOT_SUPPORTED;
}

namespace {
struct ErrorText {
    int code;
    const char *name, *text;
};
const ErrorText ERRORS[] = {
    {SUCCESS, "CUDA_SUCCESS", "no error"},
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {DEVICE_UNAVAILABLE, "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"},
    {NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {LAUNCH_OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
};
}  // namespace

STANDIN_API int cuGetErrorName(int code, const char** name) {
    if (name == nullptr) return INVALID_VALUE;
    *name = nullptr;
    for (const ErrorText& e : ERRORS)
        if (e.code == code) *name = e.name;
    return *name == nullptr ? INVALID_VALUE : SUCCESS;
}

STANDIN_API int cuGetErrorString(int code, const char** text) {
    if (text == nullptr) return INVALID_VALUE;
    *text = nullptr;
    for (const ErrorText& e : ERRORS)
        if (e.code == code) *text = e.text;
    return *text == nullptr ? INVALID_VALUE : SUCCESS;
}
