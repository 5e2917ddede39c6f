// swift-tools-version: 6.1
import PackageDescription

/// CI sets ALSWEEP_STRICT=1: warnings in this package are errors there, and only there.
let isStrict = Context.environment["ALSWEEP_STRICT"] == "1"

let swiftSettings: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ] + (isStrict ? [.unsafeFlags(["-warnings-as-errors"])] : [])

/// Loops over pixels and weights are some 50 times slower without the optimiser, which would turn
/// the oracle tests from seconds into minutes: these targets are optimised in debug builds too.
let numericSettings =
    swiftSettings + [.unsafeFlags(["-O"], .when(configuration: .debug))]

/// The simulator handles some million events in the tests.
let coreSettings = numericSettings

let argumentParser: Target.Dependency = .product(
    name: "ArgumentParser", package: "swift-argument-parser")
let orderedCollections: Target.Dependency = .product(
    name: "OrderedCollections", package: "swift-collections")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let heap: Target.Dependency = .product(name: "HeapModule", package: "swift-collections")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let sqlite: Target.Dependency = .product(name: "GRDBSQLite", package: "GRDB.swift")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

func library(
    _ name: String, _ dependencies: [Target.Dependency], settings: [SwiftSetting] = swiftSettings
) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency], fixtures: Bool = false,
    settings: [SwiftSetting] = swiftSettings
) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: dependencies,
        resources: fixtures ? [.copy("Fixtures")] : [],
        swiftSettings: settings)
}

let package = Package(
    name: "alsweep",
    products: [.executable(name: "alsweep", targets: ["alsweep"])],
    dependencies: [
        .package(
            url: "https://github.com/apple/swift-argument-parser", .upToNextMinor(from: "1.8.0")),
        .package(url: "https://github.com/apple/swift-collections", .upToNextMinor(from: "1.6.0")),
        .package(url: "https://github.com/apple/swift-log", .upToNextMinor(from: "1.16.0")),
        .package(url: "https://github.com/groue/GRDB.swift", .upToNextMinor(from: "7.10.0")),
        .package(url: "https://github.com/jpsim/Yams", .upToNextMinor(from: "6.2.0")),
    ],
    targets: [
        // System libraries: a module map and a shim.h each.
        .systemLibrary(name: "CZeroMQ", providers: [.apt(["libzmq3-dev"])]),
        .systemLibrary(
            name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "COneDNN", providers: [.apt(["libdnnl-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(
            name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(
            name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),

        // What alsweep and its plug-in for libtorch agree on: a header. The plug-in beside it is built by
        // cluster/build-torch-engine.sh.
        .systemLibrary(name: "CTorchEngine"),

        // Small C functions of our own: what Swift cannot say about vectors.
        .target(
            name: "CProcessor", cSettings: [.unsafeFlags(["-O2"], .when(configuration: .debug))]),
        .target(
            name: "CChannelSums", cSettings: [.unsafeFlags(["-O2"], .when(configuration: .debug))]),
        .target(
            name: "CWinograd", cSettings: [.unsafeFlags(["-O2"], .when(configuration: .debug))]),

        // The pure core: no clock, no system randomness, no I/O.
        library("JSONText", [], settings: coreSettings),
        library("SweepModel", ["JSONText", yams], settings: coreSettings),
        library("Wire", ["JSONText", "SweepModel"]),
        library(
            "Coordinator", ["SweepModel", "Wire", orderedCollections, deque], settings: coreSettings
        ),
        library("Agent", ["SweepModel", "Wire"], settings: coreSettings),
        library(
            "Simulation", ["SweepModel", "Wire", "Coordinator", "Agent", orderedCollections, heap],
            settings: coreSettings),
        library("Reporting", ["SweepModel"]),

        // The experiment.
        library("Digests", ["CCrypto"]),
        library(
            "Datasets", ["SweepModel", "Digests", "CZlib", "CArchive"], settings: numericSettings),
        library("DatasetFetch", ["Datasets", "CCurl"]),
        library(
            "Classifier",
            [
                "CChannelSums", "COneDNN", "COpenBLAS", "CProcessor", "CWinograd", "CTorchEngine",
            ],
            settings: numericSettings),
        library(
            "ActiveLearning", ["SweepModel", "Classifier", "Datasets", "Digests", "COpenBLAS"],
            settings: numericSettings),

        // Storage, sockets and the shells around the core.
        library("Journal", ["JSONText", "SweepModel", "CZlib", grdb, sqlite]),
        library("Transport", ["Wire", "CZeroMQ"]),
        library("BlobTransfer", ["SweepModel", "Wire", "Transport", "Digests"]),
        library("ChildProcess", []),
        library("GPUs", ["SweepModel", "ChildProcess"]),
        library("Launchers", ["SweepModel", "Transport", "ChildProcess", "GPUs", yams]),
        library(
            "CoordinatorService",
            [
                "SweepModel", "Wire", "Coordinator", "Journal", "Transport", "BlobTransfer",
                "ChildProcess", "Launchers", deque, orderedCollections, logging,
            ]),
        library(
            "WorkerService",
            [
                "SweepModel", "Wire", "Agent", "Transport", "BlobTransfer", "ChildProcess", "GPUs",
                logging,
            ]),
        .executableTarget(
            name: "alsweep",
            dependencies: [
                "SweepModel", "Wire", "Coordinator", "Agent", "Simulation", "Journal",
                "Transport", "BlobTransfer", "Datasets",
                "DatasetFetch", "Classifier", "ActiveLearning", "Digests", "Reporting",
                "CoordinatorService", "WorkerService", "Launchers", "ChildProcess", "GPUs",
                "CProcessor",
                argumentParser, deque, logging,
            ],
            swiftSettings: swiftSettings),

        // Damage from a seed, for the readers of what comes from elsewhere.
        .target(name: "Fuzzing", path: "Tests/Fuzzing", swiftSettings: swiftSettings),
        // Small libraries in the place of the plug-in for libtorch.
        .target(name: "FakePlugIn", path: "Tests/FakePlugIn", swiftSettings: swiftSettings),
        tests("JSONText", ["JSONText", "Fuzzing"]),
        tests("SweepModel", ["SweepModel", "Fuzzing"]),
        tests("Wire", ["Wire", "JSONText", "SweepModel", "Fuzzing"]),
        tests("Coordinator", ["Coordinator", "SweepModel", "Wire", orderedCollections]),
        tests("Agent", ["Agent", "SweepModel", "Wire"]),
        tests("Simulation", ["Simulation"]),
        tests("Reporting", ["Reporting"], fixtures: true),
        tests("Digests", ["Digests"]),
        .target(
            name: "TestServer", path: "Tests/TestServer", swiftSettings: swiftSettings),
        tests(
            "Datasets", ["Datasets", "Classifier", "Digests", "SweepModel"], fixtures: true,
            settings: numericSettings),
        tests("DatasetFetch", ["DatasetFetch", "Datasets", "Digests", "SweepModel", "TestServer"]),
        tests(
            "Classifier",
            ["Classifier", "CChannelSums", "COneDNN", "CWinograd", "Fuzzing", "FakePlugIn"],
            fixtures: true, settings: numericSettings),
        tests(
            "ActiveLearning", ["ActiveLearning", "Classifier", "Datasets", "Digests"],
            fixtures: true, settings: numericSettings),
        tests("Journal", ["Journal", "SweepModel", "Fuzzing", grdb]),
        tests("Transport", ["Transport"]),
        tests(
            "CoordinatorService",
            [
                "CoordinatorService", "Coordinator", "Journal", "Transport", "Wire", "SweepModel",
                grdb, logging,
            ]),
        tests("BlobTransfer", ["BlobTransfer", "SweepModel", "Transport", "Wire", "Digests"]),
        tests(
            "WorkerService", ["WorkerService", "Agent", "BlobTransfer", "SweepModel", "Wire"]),
        tests(
            "Launchers",
            ["Launchers", "SweepModel", "Transport", "ChildProcess", "GPUs", "Fuzzing", yams],
            fixtures: true),
        tests("GPUs", ["GPUs", "SweepModel"]),
        tests("Repository", []),
        tests(
            "Acceptance",
            [
                "ChildProcess", "TestServer", "Transport", "Wire", "SweepModel", "FakePlugIn",
                "alsweep", yams,
            ]),
    ]
)
