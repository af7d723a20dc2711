// One thread a ray; 32 neighbouring columns share a warp. siddon.cuh is put in front of this text by _cupy.py.
extern "C" __global__ void render(const float* mu, int nx, int ny, int nz, const double* source, const double* corner,
                                  const double* row_step, const double* column_step, const double* to_mm,
                                  int rows, int columns, float* image) {
    int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    if (column >= columns || row >= rows) return;
    double end[3], length = 0;
    for (int i = 0; i < 3; i++) end[i] = corner[i] + row * row_step[i] + column * column_step[i];
    for (int i = 0; i < 3; i++) {
        double mm = 0;
        for (int j = 0; j < 3; j++) mm += to_mm[3 * i + j] * (end[j] - source[j]);
        length += mm * mm;
    }
    image[(long long)row * columns + column] = (float)(siddon(mu, nx, ny, nz, source, end) * sqrt(length));
}
