// One thread a ray, 32 neighbouring columns a warp, blockIdx.z the view. rays.h is put in front of this text by _cupy.py.
// rays: 21 numbers a view (rays.h). T: the type of the stored voxels.
template <class T>
__device__ void render(int method, const T* voxels, int nx, int ny, int nz, Attenuation model, const double* rays,
                       int rows, int columns, float* images) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    if (column >= columns || row >= rows) return;
    const int size[3] = {nx, ny, nz};
    const double* mine = rays + 21 * blockIdx.z;
    images[((long long)blockIdx.z * rows + row) * columns + column] =
        (float)integral((Method)method, voxels, size, model, mine, row, column);
}

struct AtomicSpread {
    float* volume;
    double value;
    __device__ void operator()(long long offset, double length) { atomicAdd(volume + offset, (float)(length * value)); }
};

extern "C" {

__global__ void render_int16(int method, const short* voxels, int nx, int ny, int nz, float threshold, float zero,
                             float slope, const double* rays, int rows, int columns, float* images) {
    render(method, voxels, nx, ny, nz, Attenuation{threshold, zero, slope}, rays, rows, columns, images);
}

__global__ void render_float32(int method, const float* voxels, int nx, int ny, int nz, float threshold, float zero,
                               float slope, const double* rays, int rows, int columns, float* images) {
    render(method, voxels, nx, ny, nz, Attenuation{threshold, zero, slope}, rays, rows, columns, images);
}

// Adjoint of the exact path: every ray adds its pixel times its length to the voxels that it crosses.
__global__ void backproject(const float* images, int nx, int ny, int nz, const double* rays, int rows, int columns,
                            float* volume) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    if (column >= columns || row >= rows) return;
    const int low[3] = {0, 0, 0}, size[3] = {nx, ny, nz};
    const double* mine = rays + 21 * blockIdx.z;
    const Ray ray(mine, row, column);
    const float pixel = images[((long long)blockIdx.z * rows + row) * columns + column];
    AtomicSpread spread = {volume, pixel * ray.length_mm(mine)};
    trace(ray, size, low, size, spread);
}
}
