// The CPU library: plain C functions that _cpu.py calls from its threads, one tile of the image or volume a call.
#include "axis.h"
#include "rays.h"
#include <stdint.h>
#include <stdlib.h>

namespace {

template <class T>
void render_rays(int method, const T* voxels, const int* size, Attenuation model, const double* rays, int columns,
                 int r0, int r1, int c0, int c1, float* image) {
    for (int row = r0; row < r1; row++)
        for (int column = c0; column < c1; column++)
            image[(long long)row * columns + column] =
                (float)integral((Method)method, voxels, size, model, rays, row, column);
}

struct Spread {
    float* volume;
    double value;
    void operator()(long long offset, double length) { volume[offset] += (float)(length * value); }
};

#ifdef AXIS_PATH
template <class T>
bool render_axis(const T* voxels, Attenuation model, const axis::View& view, const double* rays, const int* axes,
                 int r0, int r1, int columns, float* image) {
    const int m = axes[0], rows_along_v = axes[3], padded = view.u.padded;
    float* sum = (float*)calloc((size_t)(r1 - r0) * padded, sizeof(float));
    const bool enough = sum && axis::tile(voxels, model, view, r0, r1, sum);
    for (int r = r0; enough && r < r1; r++)
        for (int c = 0; c < view.u.count; c++) {
            const int row = rows_along_v ? r : c, column = rows_along_v ? c : r;
            Ray ray(rays, row, column);
            double mm = ray.length_mm(rays) * model.slope / fabs(ray.direction[m]);
            image[(long long)row * columns + column] = (float)(sum[(long long)(r - r0) * padded + c] * mm);
        }
    free(sum);
    return enough;
}
#endif

}  // namespace

extern "C" {

// 1 where axis_view and axis_tile work on this machine.
int axis_available(void) {
#ifdef AXIS_PATH
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return 0;
#endif
}

// Pixels [r0, r1) x [c0, c1) of the image, ray by ray. is_float: voxels are float32, else int16.
void rays_tile(int method, int is_float, const void* voxels, const int* size, const float* model, const double* rays,
               int columns, int r0, int r1, int c0, int c1, float* image) {
    Attenuation mu = {model[0], model[1], model[2]};
    if (is_float)
        render_rays(method, (const float*)voxels, size, mu, rays, columns, r0, r1, c0, c1, image);
    else
        render_rays(method, (const int16_t*)voxels, size, mu, rays, columns, r0, r1, c0, c1, image);
}

// Adjoint of the exact path, into the voxels z0 <= z < z1 of the volume: every ray adds its pixel times its length.
void spread_slab(const float* image, const int* size, const double* rays, int rows, int columns, int z0, int z1,
                 float* volume) {
    const int low[3] = {0, 0, z0}, high[3] = {size[0], size[1], z1};
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++) {
            double value = image[(long long)row * columns + column];
            if (value == 0) continue;
            Ray ray(rays, row, column);
            Spread spread = {volume, value * ray.length_mm(rays)};
            trace(ray, size, low, high, spread);
        }
}

#ifdef AXIS_PATH
void axis_free(void* handle);

// A view whose detector lies along volume axes u and v, with empty tables. axes: m, u, v, and 1 where rows step along v.
// width: of every part, in voxels (slabs * parts); it must outlive the view. samples: Joseph's method.
// axis_free gives the memory back. NULL where there is not enough.
void* axis_view(const int* size, const int* axes, int rows, int columns, int parts, int samples,
                const float* width) {
    const long long stride[3] = {1, size[0], (long long)size[0] * size[1]};
    const int m = axes[0], u = axes[1], v = axes[2];
    axis::View* view = (axis::View*)calloc(1, sizeof(axis::View));
    if (!view) return NULL;
    *view = {size[m], parts, size[u], size[v], stride[m], stride[u], stride[v],
             width,   {},    {},      NULL,    NULL,      true,      samples != 0};
    const size_t total = (size_t)size[m] * parts;
    view->u.count = axes[3] ? columns : rows;
    view->v.count = axes[3] ? rows : columns;
    axis::Table* tables[2] = {&view->u, &view->v};
    bool enough = true;
    for (axis::Table* table : tables) {
        table->padded = (table->count + axis::LANES - 1) / axis::LANES * axis::LANES;
        table->before = (uint16_t*)malloc(total * table->padded * sizeof(uint16_t));
        table->after = (uint16_t*)malloc(total * table->padded * sizeof(uint16_t));
        table->share = (float*)malloc(total * table->padded * sizeof(float));
        enough = enough && table->before && table->after && table->share;
    }
    const size_t groups = total * view->u.padded / axis::GROUP;
    view->start = (uint16_t*)malloc(groups * sizeof(uint16_t));
    view->windows = (axis::Window*)aligned_alloc(16, groups * sizeof(axis::Window));
    if (enough && view->start && view->windows) return view;
    axis_free(view);
    return NULL;
}

// Parts [p0, p1) of the tables. t: where the faces of the parts are on the rays (slabs * parts + 1).
void axis_fill(void* handle, const double* rays, const int* axes, const double* t, int p0, int p1) {
    axis::View* view = (axis::View*)handle;
    const int u = axes[1], v = axes[2], along_u = axes[3] ? 9 : 6, along_v = axes[3] ? 6 : 9;
    axis::fill(view->u, rays[u], rays[3 + u], rays[along_u + u], t, p0, p1, view->nu, view->samples);
    axis::fill(view->v, rays[v], rays[3 + v], rays[along_v + v], t, p0, p1, view->nv, view->samples);
    if (!axis::fill_windows(*view, p0, p1)) view->near = false;
}

void axis_free(void* handle) {
    axis::View* view = (axis::View*)handle;
    axis::Table* tables[2] = {&view->u, &view->v};
    for (axis::Table* table : tables) free(table->before), free(table->after), free(table->share);
    free(view->start), free(view->windows), free(view);
}

// Pixels [r0, r1) along v, all along u. 0 where memory ran out, else 1.
int axis_tile(int is_float, const void* voxels, const float* model, const void* handle, const double* rays,
               const int* axes, int r0, int r1, int columns, float* image) {
    const axis::View& view = *(const axis::View*)handle;
    Attenuation mu = {model[0], model[1], model[2]};
    if (is_float)
        return render_axis((const float*)voxels, mu, view, rays, axes, r0, r1, columns, image);
    else
        return render_axis((const int16_t*)voxels, mu, view, rays, axes, r0, r1, columns, image);
}
#endif
}
