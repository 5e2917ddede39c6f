import COpenBLAS

/// The sizes of `c (rows × columns) = a (rows × inner) · b (inner × columns)`.
struct MatrixShape {
    var rows: Int
    var columns: Int
    var inner: Int
}

/// Which factor is stored transposed.
enum TransposedFactor {
    case neither, first, second
}

/// Adds the product of two row-major matrices to a third.
///
/// - Parameters:
///   - first: `(rows, inner)`, or `(inner, rows)` if it is transposed.
///   - second: `(inner, columns)`, or `(columns, inner)` if it is transposed.
///   - sum: `(rows, columns)`; accumulated, not overwritten.
func addProduct(
    _ first: Span<Float>, _ second: Span<Float>, transposed: TransposedFactor,
    _ shape: MatrixShape, to sum: inout MutableSpan<Float>
) {
    precondition(
        first.count == shape.rows * shape.inner && second.count == shape.inner * shape.columns
            && sum.count == shape.rows * shape.columns, "matrices do not fit their shape")
    let isFirstTransposed = transposed == .first
    let isSecondTransposed = transposed == .second
    first.withUnsafeBufferPointer { first in
        second.withUnsafeBufferPointer { second in
            sum.withUnsafeMutableBufferPointer { sum in
                cblas_sgemm(
                    CblasRowMajor, isFirstTransposed ? CblasTrans : CblasNoTrans,
                    isSecondTransposed ? CblasTrans : CblasNoTrans, Int32(shape.rows),
                    Int32(shape.columns), Int32(shape.inner), 1, first.baseAddress,
                    Int32(isFirstTransposed ? shape.rows : shape.inner), second.baseAddress,
                    Int32(isSecondTransposed ? shape.inner : shape.columns), 1, sum.baseAddress,
                    Int32(shape.columns))
            }
        }
    }
}

/// These matrices are too small to share among threads, and how they would be shared must not
/// change a result.
let useOneThread: Void = openblas_set_num_threads(1)
