// Exact radiological path of one ray through a voxel grid, float64 positions. Plain C++ so that a host compiler can
// build and test the very arithmetic that runs on the GPU.
//
// Amanatides and Woo, Eurographics 1987: step from voxel to voxel to the nearest of the three next plane crossings.
// A crossing's parameter is computed from its integer plane index, not accumulated, so nothing drifts along the ray.
#ifdef __CUDACC__
#define DEVICE __device__ __forceinline__
#else
#include <cmath>
#define DEVICE static inline
#endif

struct Axis {
    double source, inverse, next;  // start of the ray, 1 / direction, parameter of the next plane crossing
    int index, step, plane;        // current voxel, +1 / -1 / 0, next plane counted in voxels (plane p lies at p - 0.5)
};

DEVICE Axis axis_at(double source, double direction, double t, int size) {
    Axis a;
    a.source = source;
    a.step = direction > 0 ? 1 : direction < 0 ? -1 : 0;
    a.inverse = a.step ? 1.0 / direction : 0.0;
    int i = (int)floor(source + t * direction + 0.5);
    a.index = i < 0 ? 0 : i >= size ? size - 1 : i;
    a.plane = a.index + (a.step > 0);
    a.next = a.step ? (a.plane - 0.5 - source) * a.inverse : 2.0;
    return a;
}

DEVICE void advance(Axis& a) {
    a.index += a.step;
    a.plane += a.step;
    a.next = (a.plane - 0.5 - a.source) * a.inverse;
}

// Narrow [enter, leave] to the part of the ray inside the slab -0.5 .. size - 0.5 of one axis.
DEVICE void clip_axis(double source, double direction, int size, double& enter, double& leave) {
    if (direction == 0) {
        if (source < -0.5 || source >= size - 0.5) leave = -1;
        return;
    }
    double a = (-0.5 - source) / direction, b = (size - 0.5 - source) / direction;
    enter = fmax(enter, fmin(a, b));
    leave = fmin(leave, fmax(a, b));
}

// Integral of mu (z, y, x; C order) from source s to end e, all in voxel units, in units of the whole ray's length.
DEVICE double siddon(const float* mu, int nx, int ny, int nz, const double* s, const double* e) {
    double dx = e[0] - s[0], dy = e[1] - s[1], dz = e[2] - s[2];
    double enter = 0, leave = 1, sum = 0;
    clip_axis(s[0], dx, nx, enter, leave);
    clip_axis(s[1], dy, ny, enter, leave);
    clip_axis(s[2], dz, nz, enter, leave);
    if (leave <= enter) return 0;
    Axis x = axis_at(s[0], dx, enter, nx), y = axis_at(s[1], dy, enter, ny), z = axis_at(s[2], dz, enter, nz);
    double t = enter;
    while (t < leave) {
        double next = fmin(fmin(x.next, y.next), fmin(z.next, leave));
        sum += (next - t) * (double)mu[((long long)z.index * ny + y.index) * nx + x.index];
        t = fmax(t, next);
        if (x.next <= t) advance(x);
        if (y.next <= t) advance(y);
        if (z.next <= t) advance(z);
        if ((unsigned)x.index >= (unsigned)nx || (unsigned)y.index >= (unsigned)ny || (unsigned)z.index >= (unsigned)nz)
            break;
    }
    return sum;
}
