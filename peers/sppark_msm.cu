// The multi-scalar multiplication of the crate sppark over BN254's G1, held against ours on the same points and
// scalars. Compiled by build/peers.rs with the feature `peers-cuda`; `sppark.cu` has what both need of sppark's runtime.
#define FEATURE_BN254
#include <ff/alt_bn128.hpp>
#include <ec/jacobian_t.hpp>
#include <ec/xyzz_t.hpp>

typedef jacobian_t<fp_t> point_t;
typedef xyzz_t<fp_t> bucket_t;
typedef bucket_t::affine_t affine_t;
typedef fr_t scalar_t;

#include <msm/pippenger.cuh>

namespace {
using Msm = msm_t<bucket_t, point_t, affine_t, scalar_t>;

/// Scalars that are on the device already.
struct Resident {
    const scalar_t* address;
    const scalar_t& operator[](size_t i) const { return address[i]; }
};
}  // namespace

template <>
struct is_device_ptr<Resident> {
    static const bool value = true;
};

#ifndef __CUDA_ARCH__
/// Copies points to the current device.
///
/// - points: on the host, `[num_points][2]` coordinates of 32 bytes in Montgomery form, zeros for infinity.
/// - returns: what `rewit_sppark_msm` takes, or null.
extern "C" void* rewit_sppark_msm_new(const void* points, size_t num_points) {
    try {
        return new Msm(static_cast<const affine_t*>(points), num_points);
    } catch (const cuda_error&) {
        return nullptr;
    }
}

extern "C" void rewit_sppark_msm_free(void* msm) { delete static_cast<Msm*>(msm); }

/// Adds up points times scalars and waits.
///
/// - scalars: `[count]` of 32 bytes in Montgomery form, on the device if `resident`, else on the host.
/// - sum: X, Y and Z of 32 bytes in Montgomery form, Jacobian.
/// - returns: 0, or CUDA's error code.
extern "C" int rewit_sppark_msm(void* msm, const void* scalars, size_t count, int resident, void* sum) {
    auto& sums = *static_cast<Msm*>(msm);
    auto* from = static_cast<const scalar_t*>(scalars);
    point_t out;
    RustError error = resident ? sums.invoke(out, static_cast<const affine_t::mem_t*>(nullptr), count, Resident{from})
                               : sums.invoke(out, static_cast<const affine_t*>(nullptr), count, from);
    memcpy(sum, &out, sizeof(out));
    return error.code;
}
#endif
