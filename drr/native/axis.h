// Exact line integrals where the detector's rows and columns lie along axes of the volume (all standard views).
//
// Call m the volume axis across the detector, u and v the axes along it. Between two planes of voxel faces across m, a
// slab, the u of a ray depends on its column alone and its v on its row alone. So all rays of a slab share two small
// tables: the voxel before and after the one crossing that can happen along each axis, and the share of the slab before
// it. One line of voxels along u is then read once for all columns, and added to every row that passes through it, by
// vector operations without a branch. This is Siddon's sum in another order, not an approximation.
//
// Needs AVX2; elsewhere rays.h does the same ray by ray.
#pragma once
#include "rays.h"
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define AXIS_PATH 1
#include <immintrin.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#define AVX2 __attribute__((target("avx2,fma")))
#define INLINE_AVX2 AVX2 __attribute__((always_inline)) static inline

namespace axis {

const int GROUP = 8, LANES = 16;  // columns that share a window of 16 voxels; columns of one step (two groups)
const int SLABS = 8;              // read at once where memory runs across the slabs
const int SLACK = 32;             // voxels that may be touched behind a line

// Where the rays of one detector axis are in every part. Voxel 0 is the zero in front of the volume: index + 1.
struct Table {
    int count, padded;         // pixels, and the same rounded up to whole steps
    uint16_t *before, *after;  // (part, pixel)
    float* share;
};

// How pshufb picks the voxels of a group of columns from a window of 16: for the voxels before and after the crossing
// the bytes to take from its lower and from its upper half.
struct Window {
    alignas(16) uint8_t before[2][16], after[2][16];
};

// What does not change within a view.
struct View {
    int slabs, parts;      // of the main axis; a slab is divided so that a part has one crossing at most
    int nu, nv;            // voxels along u and v
    long long sm, su, sv;  // strides of the three axes; su or sm is 1
    const float* width;    // of every part, in voxels
    Table u, v;
    uint16_t* start;  // of the window, (part, group)
    Window* windows;
    bool near;      // columns are close enough for windows
    bool samples;   // Joseph: one linear sample in the plane of voxel centres in place of an integral over the part
};

// Parts [p0, p1) of a table. t: parameters of the parts' faces. Pixel i ends at first + i * step.
// samples: t[p] is the plane of a sample, which lies between voxels `before` and `after` and has `share` of the first.
AVX2 static void fill(Table& table, double source, double first, double step, const double* t, int p0, int p1, int size,
                      bool samples) {
    for (int p = p0; p < p1; p++) {
        const long long at = (long long)p * table.padded;
        for (int i = 0; i < table.padded; i++) {
            double d = first + (i < table.count ? i : table.count - 1) * step - source;
            double a = source + t[p] * d + (samples ? 0 : 0.5), b = source + t[p + 1] * d + 0.5;
            double from = floor(a), to = samples ? from + 1 : floor(b);
            double cut = samples ? to - a : (fmax(from, to) - a) / (b - a);
            table.share[at + i] = from == to ? 1.0f : (float)cut;
            table.before[at + i] = (uint16_t)(int)(fmin(fmax(from, -1), size) + 1);
            table.after[at + i] = (uint16_t)(int)(fmin(fmax(to, -1), size) + 1);
        }
    }
}

INLINE_AVX2 __m256 load(const float* p) { return _mm256_loadu_ps(p); }

// Lines are kept as the attenuation without its slope: float, or for int16 an exact uint16.
template <class T> struct Kept;
template <> struct Kept<float> {
    typedef float type;
};
template <> struct Kept<int16_t> {
    typedef uint16_t type;
};
// The model of int16 volumes in whole numbers; above a threshold not below zero - 1 the result fits uint16 exactly.
struct WholeModel {
    __m128i threshold, zero;
};
INLINE_AVX2 WholeModel whole(const Attenuation& model) {
    return {_mm_set1_epi16((short)model.threshold), _mm_set1_epi16((short)model.zero)};
}
INLINE_AVX2 __m128i keep(const WholeModel& model, __m128i value) {
    return _mm_and_si128(_mm_sub_epi16(value, model.zero), _mm_cmpgt_epi16(value, model.threshold));
}

// out[u + 1] = voxel u, for u in [first, last], of a line that is contiguous in memory.
INLINE_AVX2 void read_line(const float* line, long long, const Attenuation& model, int first, int last, float* out) {
    for (int u = first; u <= last; u++) out[u + 1] = model.relative(line[u]);
}
INLINE_AVX2 void read_line(const int16_t* line, long long sm, const Attenuation& model, int first, int last,
                           uint16_t* out) {
    const WholeModel whole_model = whole(model);
    int u = first;
    for (int i = first; i <= last; i += 32) __builtin_prefetch(line + i + sm);  // the next slab's line
    for (; u + 7 <= last; u += 8)
        _mm_storeu_si128((__m128i*)(out + u + 1), keep(whole_model, _mm_loadu_si128((const __m128i*)(line + u))));
    for (; u <= last; u++) out[u + 1] = (uint16_t)model.relative(line[u]);
}

// The same for `count` neighbouring lines, out[lane * pitch + u + 1], where memory is contiguous across the lines.
INLINE_AVX2 void read_lines(const float* lines, long long su, int count, const Attenuation& model, int first, int last,
                            int pitch, int nu, float* out) {
    (void)nu;
    for (int u = first; u <= last; u++)
        for (int i = 0; i < count; i++) out[i * pitch + u + 1] = model.relative(lines[u * su + i]);
}

INLINE_AVX2 void transpose(__m128i* r) {
    __m128i a[8], b[8];
    for (int i = 0; i < 4; i++) {
        a[i] = _mm_unpacklo_epi16(r[2 * i], r[2 * i + 1]);
        a[i + 4] = _mm_unpackhi_epi16(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        b[i] = _mm_unpacklo_epi32(a[i], a[i + 1]), b[i + 1] = _mm_unpackhi_epi32(a[i], a[i + 1]);
        b[i + 2] = _mm_unpacklo_epi32(a[i + 2], a[i + 3]), b[i + 3] = _mm_unpackhi_epi32(a[i + 2], a[i + 3]);
    }
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm_unpacklo_epi64(b[i], b[i + 2]), r[i + 1] = _mm_unpackhi_epi64(b[i], b[i + 2]);
        r[i + 2] = _mm_unpacklo_epi64(b[i + 1], b[i + 3]), r[i + 3] = _mm_unpackhi_epi64(b[i + 1], b[i + 3]);
    }
}

INLINE_AVX2 void read_lines(const int16_t* lines, long long su, int count, const Attenuation& model, int first,
                            int last, int pitch, int nu, uint16_t* out) {
    const WholeModel whole_model = whole(model);
    for (int u = first; u <= last; u += 8) {
        __m128i block[SLABS];
        for (int i = 0; i < 8; i++) {
            const int16_t* here = lines + (u + i < nu ? u + i : nu - 1) * su;
            int16_t part[SLABS] = {0};
            __builtin_prefetch(here + 32);
            if (count < SLABS) memcpy(part, here, count * sizeof(int16_t)), here = part;
            block[i] = keep(whole_model, _mm_loadu_si128((const __m128i*)here));
        }
        transpose(block);
        for (int i = 0; i < SLABS; i++) _mm_storeu_si128((__m128i*)(out + i * pitch + u + 1), block[i]);
    }
    for (int i = 0; i < SLABS; i++) out[i * pitch + nu + 1] = 0;  // the last block may reach over the end
}

// The columns of one part: tables of the view, and the width of the part.
struct Columns {
    const uint16_t *before, *after;
    const float* share;
    const uint16_t* start;
    const Window* windows;
    float width;
    int padded;
};

// What LANES columns from c cross of a line of voxels: the voxels before and after their own crossing.
struct Pair {
    __m256 before[2], after[2];
};

INLINE_AVX2 void to_float(__m256i voxels, __m256* out) {
    out[0] = _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(_mm256_castsi256_si128(voxels)));
    out[1] = _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(_mm256_extracti128_si256(voxels, 1)));
}
INLINE_AVX2 __m256i two(const void* low, const void* high) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i*)low)),
                                   _mm_loadu_si128((const __m128i*)high), 1);
}

INLINE_AVX2 Pair pick_windows(const uint16_t* line, const Columns& columns, int c) {
    const Window *a = columns.windows + c / GROUP, *b = a + 1;
    const uint16_t *la = line + columns.start[c / GROUP], *lb = line + columns.start[c / GROUP + 1];
    const __m256i low = two(la, lb), high = two(la + 8, lb + 8);
    Pair pair;
    to_float(_mm256_or_si256(_mm256_shuffle_epi8(low, two(a->before[0], b->before[0])),
                             _mm256_shuffle_epi8(high, two(a->before[1], b->before[1]))), pair.before);
    to_float(_mm256_or_si256(_mm256_shuffle_epi8(low, two(a->after[0], b->after[0])),
                             _mm256_shuffle_epi8(high, two(a->after[1], b->after[1]))), pair.after);
    return pair;
}
template <class K> INLINE_AVX2 Pair pick_single(const K* line, const Columns& columns, int c) {
    float before[LANES], after[LANES];
    for (int i = 0; i < LANES; i++) before[i] = line[columns.before[c + i]], after[i] = line[columns.after[c + i]];
    return {{load(before), load(before + 8)}, {load(after), load(after + 8)}};
}
INLINE_AVX2 Pair pick(const float* line, const Columns& columns, int c) { return pick_single(line, columns, c); }
INLINE_AVX2 Pair pick(const uint16_t* line, const Columns& columns, int c) {
    return columns.start ? pick_windows(line, columns, c) : pick_single(line, columns, c);
}

// What each column crosses of a line of voxels if its row stays in the line for the whole part.
template <class K> INLINE_AVX2 void cross(const K* line, const Columns& columns, float* crossed) {
    const __m256 width = _mm256_set1_ps(columns.width);
    for (int c = 0; c < columns.padded; c += LANES) {
        const Pair v = pick(line, columns, c);
        for (int h = 0; h < 2; h++) {
            __m256 share = load(columns.share + c + 8 * h);
            __m256 s = _mm256_fmadd_ps(share, _mm256_sub_ps(v.before[h], v.after[h]), v.after[h]);
            _mm256_storeu_ps(crossed + c + 8 * h, _mm256_mul_ps(width, s));
        }
    }
}

INLINE_AVX2 void add(float* sum, const float* crossed, float weight, int padded) {
    const __m256 w = _mm256_set1_ps(weight);
    for (int c = 0; c < padded; c += 8)
        _mm256_storeu_ps(sum + c, _mm256_fmadd_ps(w, load(crossed + c), load(sum + c)));
}

// Add what is crossed by a row that is in the line only between two shares of the part, `from` and `until`.
template <class K>
INLINE_AVX2 void add_between(float* sum, const K* line, const Columns& columns, float from, float until) {
    const __m256 a = _mm256_set1_ps(from), b = _mm256_set1_ps(until), width = _mm256_set1_ps(columns.width);
    for (int c = 0; c < columns.padded; c += LANES) {
        const Pair v = pick(line, columns, c);
        for (int h = 0; h < 2; h++) {
            __m256 m = _mm256_max_ps(_mm256_min_ps(load(columns.share + c + 8 * h), b), a);
            __m256 s = _mm256_mul_ps(_mm256_sub_ps(m, a), v.before[h]);
            s = _mm256_fmadd_ps(_mm256_sub_ps(b, m), v.after[h], s);
            _mm256_storeu_ps(sum + c + 8 * h, _mm256_fmadd_ps(width, s, load(sum + c + 8 * h)));
        }
    }
}

static inline int least(int a, int b) { return a < b ? a : b; }
static inline int most(int a, int b) { return a > b ? a : b; }

// First and last voxel (0-based, cut to the volume) that pixels [from, to) touch in one part.
static inline void range(const Table& table, int part, int from, int to, int size, int& low, int& high) {
    const uint16_t *b = table.before + (long long)part * table.padded, *a = table.after + (long long)part * table.padded;
    low = most(1, least(least(b[from], a[from]), least(b[to - 1], a[to - 1]))) - 1;
    high = least(size, most(most(b[from], a[from]), most(b[to - 1], a[to - 1]))) - 1;
}

// The bytes of a window's lower and upper half that hold voxels `index` of it; 0x80 lets pshufb give 0.
INLINE_AVX2 void masks(__m128i index, uint8_t (*out)[16]) {
    const __m128i none = _mm_set1_epi16((short)0x8080), upper = _mm_cmpgt_epi16(index, _mm_set1_epi16(7));
    const __m128i bytes = _mm_add_epi16(_mm_mullo_epi16(index, _mm_set1_epi16(0x0202)), _mm_set1_epi16(0x0100));
    _mm_store_si128((__m128i*)out[0], _mm_blendv_epi8(bytes, none, upper));
    _mm_store_si128((__m128i*)out[1], _mm_blendv_epi8(none, _mm_sub_epi16(bytes, _mm_set1_epi16(0x1010)), upper));
}

// Windows of all groups of columns in parts [p0, p1); false where a group spans more than one window.
AVX2 static bool fill_windows(const View& view, int p0, int p1) {
    const long long groups = view.u.padded / GROUP;
    for (long long g = p0 * groups; g < p1 * groups; g++) {
        const __m128i before = _mm_loadu_si128((const __m128i*)(view.u.before + g * GROUP));
        const __m128i after = _mm_loadu_si128((const __m128i*)(view.u.after + g * GROUP));
        const __m128i start = _mm_broadcastw_epi16(_mm_minpos_epu16(_mm_min_epu16(before, after)));
        const __m128i b = _mm_sub_epi16(before, start), a = _mm_sub_epi16(after, start);
        if (_mm_movemask_epi8(_mm_cmpgt_epi16(_mm_max_epu16(a, b), _mm_set1_epi16(2 * GROUP - 1)))) return false;
        view.start[g] = (uint16_t)_mm_cvtsi128_si32(start);
        masks(b, view.windows[g].before);
        masks(a, view.windows[g].after);
    }
    return true;
}

// Add line k to all rows of [r0, r1) that pass through it. before, after, share: where the rows are in this part.
template <class K>
INLINE_AVX2 void add_rows(const K* line, const Columns& columns, bool samples, const uint16_t* before,
                          const uint16_t* after, const float* share, int k, int r0, int r1, float* crossed,
                          float* sum) {
    bool ready = false;
    for (int r = r0; r < r1; r++, sum += columns.padded) {
        const bool first = before[r] == k, last = after[r] == k;
        if (first == last ? first : samples && (first || last)) {
            if (!ready) cross(line, columns, crossed);
            ready = true;
            add(sum, crossed, !samples ? 1 : first ? share[r] : 1 - share[r], columns.padded);
        } else if (first) {
            add_between(sum, line, columns, 0, share[r]);
        } else if (last) {
            add_between(sum, line, columns, share[r], 1);
        }
    }
}

// Rows [r0, r1) of the view: sum[(r - r0) * padded + c], in voxels along the main axis, without the slope.
// False where memory ran out.
template <class T> AVX2 bool tile(const T* voxels, const Attenuation& model, const View& view, int r0, int r1,
                                  float* sum) {
    typedef typename Kept<T>::type K;
    const bool across = view.sm == 1 && view.su != 1;
    const int block = across ? SLABS : 1, padded = view.u.padded, pitch = view.nu + 2 + SLACK;
    K* lines = (K*)calloc((size_t)SLABS * pitch, sizeof(K));
    float* crossed = (float*)malloc(padded * sizeof(float));
    const bool enough = lines && crossed;
    for (int m0 = 0; enough && m0 < view.slabs; m0 += block) {
        const int count = least(block, view.slabs - m0), p0 = m0 * view.parts, p1 = (m0 + count) * view.parts;
        int k0 = view.nv, k1 = -1, u0 = view.nu, u1 = -1, low, high;
        for (int p = p0; p < p1; p++) {
            if (view.width[p] == 0) continue;
            range(view.v, p, r0, r1, view.nv, low, high), k0 = least(k0, low), k1 = most(k1, high);
            range(view.u, p, 0, view.u.count, view.nu, low, high), u0 = least(u0, low), u1 = most(u1, high);
        }
        for (int k = k0; k <= k1 && u0 <= u1; k++) {
            const T* plane = voxels + k * view.sv + m0 * view.sm;
            if (across)
                read_lines(plane, view.su, count, model, u0, u1, pitch, view.nu, lines);
            else
                read_line(plane, view.sm, model, u0, u1, lines);
            for (int p = p0; p < p1; p++) {
                if (view.width[p] == 0) continue;
                const long long u = (long long)p * padded, v = (long long)p * view.v.padded;
                const Columns columns = {view.u.before + u,
                                         view.u.after + u,
                                         view.u.share + u,
                                         view.near ? view.start + u / GROUP : NULL,
                                         view.windows + u / GROUP,
                                         view.width[p],
                                         padded};
                const K* line = lines + (p / view.parts - m0) * pitch;
                add_rows(line, columns, view.samples, view.v.before + v, view.v.after + v, view.v.share + v, k + 1,
                         r0, r1, crossed, sum);
            }
        }
    }
    free(lines);
    free(crossed);
    return enough;
}

}  // namespace axis
#endif
