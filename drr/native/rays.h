// The arithmetic of one ray through a voxel grid, the same text for the CPU and for CUDA.
//
// Points are (x, y, z) in voxels: voxel i reaches from i - 0.5 to i + 0.5. Positions are float64 throughout; along a ray
// t runs from 0 at the source to 1 at the detector pixel.
#pragma once
#ifdef __CUDACC__
#define DEVICE __device__ __forceinline__
#else
#include <math.h>
#define DEVICE inline
#endif

// Attenuation of a stored value: slope * (value - zero) above the threshold, else 0.
struct Attenuation {
    float threshold, zero, slope;
    template <class T> DEVICE float relative(T value) const {  // without the slope
        return (float)value > threshold ? (float)value - zero : 0.0f;
    }
};

// Rays as 21 numbers: source, corner, row_step, column_step (3 each), and the 3 x 3 matrix from voxels to mm.
struct Ray {
    double source[3], direction[3];

    DEVICE Ray(const double* rays, int row, int column) {
        for (int i = 0; i < 3; i++) {
            source[i] = rays[i];
            direction[i] = rays[3 + i] + row * rays[6 + i] + column * rays[9 + i] - rays[i];
        }
    }
    DEVICE double length_mm(const double* rays) const {
        double squares = 0;
        for (int i = 0; i < 3; i++) {
            double mm = 0;
            for (int j = 0; j < 3; j++) mm += rays[12 + 3 * i + j] * direction[j];
            squares += mm * mm;
        }
        return sqrt(squares);
    }
};

// Narrow [enter, leave] to the part of the ray inside the voxels low .. high - 1 of one axis.
DEVICE void clip_axis(double source, double direction, int low, int high, double& enter, double& leave) {
    if (direction == 0) {
        if (source < low - 0.5 || source >= high - 0.5) leave = -1;
        return;
    }
    double a = (low - 0.5 - source) / direction, b = (high - 0.5 - source) / direction;
    enter = fmax(enter, fmin(a, b));
    leave = fmin(leave, fmax(a, b));
}

// A ray's start and steps along one axis of the box low .. high - 1.
struct Axis {
    long long offset, jump;
    double next, step;  // parameter of the next plane of voxel faces, and from one to the next

    DEVICE Axis(const Ray& ray, int axis, double enter, int low, int high, long long stride) {
        const double source = ray.source[axis], d = ray.direction[axis];
        int i = (int)floor(source + enter * d + 0.5);
        i = i < low ? low : i >= high ? high - 1 : i;
        offset = i * stride;
        jump = d < 0 ? -stride : stride;
        step = d == 0 ? 0 : fabs(1 / d);
        next = d == 0 ? 2 : (i + (d < 0 ? -0.5 : 0.5) - source) / d;
    }
};

// Call visit(voxel offset, length) for every voxel of the box low .. high - 1 that the ray crosses, in order; lengths
// are in units of the whole ray.
//
// Amanatides and Woo, Eurographics 1987: step from voxel to voxel to the nearest of the three next plane crossings. In
// float64 the crossings may be added up: a thousand steps drift by less than 1e-12.
template <class Visit>
DEVICE void trace(const Ray& ray, const int* size, const int* low, const int* high, Visit& visit) {
    double enter = 0, leave = 1;
    for (int a = 0; a < 3; a++) clip_axis(ray.source[a], ray.direction[a], low[a], high[a], enter, leave);
    // No step may lead outside: the crossings, added up, may differ from `leave` by a rounding a step.
    leave -= 2.3e-16 * (size[0] + size[1] + size[2] + 8);
    if (leave <= enter) return;
    const Axis x(ray, 0, enter, low[0], high[0], 1), y(ray, 1, enter, low[1], high[1], size[0]),
        z(ray, 2, enter, low[2], high[2], (long long)size[0] * size[1]);
    long long offset = x.offset + y.offset + z.offset;
    double next_x = x.next, next_y = y.next, next_z = z.next, t = enter;
    // Three branches with their own variables: an index into arrays would go through memory at every step.
#define STEP(axis)                                    \
    {                                                 \
        if (!(next_##axis < leave)) \
            return visit(offset, leave - t); \
        visit(offset, next_##axis - t);      \
        t = next_##axis;                     \
        next_##axis += axis.step;            \
        offset += axis.jump;                 \
    }
    for (;;)
        if (next_x < next_y) {
            if (next_x < next_z) STEP(x) else STEP(z)
        } else {
            if (next_y < next_z) STEP(y) else STEP(z)
        }
#undef STEP
}

// Exact radiological path (Siddon, Med. Phys. 12 (1985) 252).
template <class T> struct PathIntegral {
    const T* voxels;
    Attenuation model;
    double sum;
    DEVICE void operator()(long long offset, double length) { sum += length * model.relative(voxels[offset]); }
};

// The same without the voxel in which the ray leaves the volume: what plastimatch's `drr` adds up.
template <class T> struct PathWithoutExit {
    const T* voxels;
    Attenuation model;
    double sum, last;
    DEVICE void operator()(long long offset, double length) {
        if (length < 1e-12) return;  // a corner met within rounding is no voxel
        sum += last;
        last = length * model.relative(voxels[offset]);
    }
};

template <class T>
DEVICE double siddon(const T* voxels, const int* size, const Attenuation& model, const Ray& ray, bool without_exit) {
    const int low[3] = {0, 0, 0};
    if (without_exit) {
        PathWithoutExit<T> path = {voxels, model, 0, 0};
        trace(ray, size, low, size, path);
        return path.sum;
    }
    PathIntegral<T> path = {voxels, model, 0};
    trace(ray, size, low, size, path);
    return path.sum;
}

// Joseph, IEEE Trans. Med. Imaging 1 (1982) 192: one bilinear sample in every plane of voxel centres across the ray's
// main axis; neighbours outside the volume count 0.
template <class T>
DEVICE double joseph(const T* voxels, const int* size, const Attenuation& model, const Ray& ray) {
    int m = 0;
    for (int a = 1; a < 3; a++)
        if (fabs(ray.direction[a]) > fabs(ray.direction[m])) m = a;
    if (ray.direction[m] == 0) return 0;
    const int u = m == 0, v = m == 2 ? 1 : 2;
    const long long stride[3] = {1, size[0], (long long)size[0] * size[1]};
    double sum = 0;
    for (int i = 0; i < size[m]; i++) {
        double t = (i - ray.source[m]) / ray.direction[m];
        if (t < 0 || t > 1) continue;
        double pu = ray.source[u] + t * ray.direction[u], pv = ray.source[v] + t * ray.direction[v];
        int iu = (int)floor(pu), iv = (int)floor(pv);
        if (iu < -1 || iv < -1 || iu >= size[u] || iv >= size[v]) continue;
        double wu = pu - iu, wv = pv - iv;
        const T* here = voxels + i * stride[m] + iu * stride[u] + iv * stride[v];
        double low = 0, high = 0;
        if (iv >= 0) {
            if (iu >= 0) low += (1 - wu) * model.relative(here[0]);
            if (iu + 1 < size[u]) low += wu * model.relative(here[stride[u]]);
        }
        if (iv + 1 < size[v]) {
            if (iu >= 0) high += (1 - wu) * model.relative(here[stride[v]]);
            if (iu + 1 < size[u]) high += wu * model.relative(here[stride[u] + stride[v]]);
        }
        sum += (1 - wv) * low + wv * high;
    }
    return sum / fabs(ray.direction[m]);
}

enum Method { SIDDON = 0, JOSEPH = 1, PLASTIMATCH = 2 };

// The line integral of one detector pixel.
template <class T>
DEVICE double integral(Method method, const T* voxels, const int* size, const Attenuation& model, const double* rays,
                       int row, int column) {
    Ray ray(rays, row, column);
    double path = method == JOSEPH ? joseph(voxels, size, model, ray)
                                   : siddon(voxels, size, model, ray, method == PLASTIMATCH);
    return path * model.slope * ray.length_mm(rays);
}
