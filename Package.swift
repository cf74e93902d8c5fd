// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    // Generic types are made from their parts, not looked up by their names: that takes more room,
    // and a third of the instructions off a process that does one thing and ends.
    .unsafeFlags(
        ["-Xfrontend", "-disable-concrete-type-metadata-mangled-name-accessors"],
        .when(platforms: [.linux], configuration: .release)),
]

/// A release executable carries everything it needs: it starts in about a millisecond.
let fullyStatic: [LinkerSetting] = [
    .unsafeFlags(
        ["-static-executable", "-l_FoundationCShims"],
        .when(platforms: [.linux], configuration: .release)
    )
]

func module(
    _ name: String, _ dependencies: [Target.Dependency] = [], links libraries: [String] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, swiftSettings: strict,
        linkerSettings: libraries.map { .linkedLibrary($0) })
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(
        name: name, dependencies: dependencies + ["TestSupport"], swiftSettings: strict)
}

let package = Package(
    name: "msorch",
    targets: [
        // Pure: values in, values out.
        module("JSON", links: ["m"]),  // Int64(exactly: Double) rounds by libm
        module("QueueModel", ["JSON"]),
        module("Access", ["JSON", "Crypto"]),
        module("GatewayModel", ["JSON", "Crypto"]),
        module("StackModel", ["JSON", "QueueModel", "Access", "GatewayModel"]),
        module("FunctionModel", ["JSON"]),
        module("Telemetry", ["JSON"]),

        // Edge: the world.
        .systemLibrary(
            name: "CCrypto", pkgConfig: "libcrypto",
            providers: [.apt(["libssl-dev"]), .brew(["openssl"])]),
        .systemLibrary(
            name: "CZlib", pkgConfig: "zlib",
            providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
        .target(name: "CPosix"),
        module("Crypto", ["CCrypto"]),
        module("Compression", ["CZlib"]),
        module("Posix", ["CPosix"]),
        module("HTTP", ["Posix"]),
        module("Journal", ["Posix", "JSON", "CZlib"]),
        module(
            "Services",
            [
                "Journal", "HTTP", "QueueModel", "StackModel", "Access", "FunctionModel",
                "GatewayModel", "Telemetry",
                "Posix", "JSON", "Crypto", "Compression",
            ]),
        module(
            "Commands",
            [
                "Services", "Journal", "QueueModel", "StackModel", "Access", "FunctionModel",
                "GatewayModel", "Telemetry",
                "HTTP", "Posix", "JSON", "Crypto", "Compression",
            ]),
        .executableTarget(
            name: "msorch", dependencies: ["Commands", "Posix"], swiftSettings: strict,
            linkerSettings: fullyStatic),

        .executableTarget(
            name: "in-process",
            dependencies: [
                "Services", "Journal", "StackModel", "QueueModel", "Posix", "JSON", "CPosix",
            ],
            path: "Benchmarks/InProcess", swiftSettings: strict, linkerSettings: fullyStatic),
        .executableTarget(
            name: "load", dependencies: ["Access", "HTTP", "JSON", "Posix", "Telemetry"],
            path: "Benchmarks/LoadGenerator", swiftSettings: strict, linkerSettings: fullyStatic),

        .target(
            name: "TestSupport", dependencies: ["JSON", "Posix"], path: "Tests/TestSupport",
            swiftSettings: strict),
        tests("JSONTests", ["JSON"]),
        tests("StackModelTests", ["GatewayModel", "StackModel", "QueueModel", "JSON"]),
        tests("QueueModelTests", ["QueueModel", "JSON"]),
        tests("FunctionModelTests", ["FunctionModel", "JSON"]),
        tests("GatewayModelTests", ["GatewayModel", "JSON"]),
        tests("TelemetryTests", ["Telemetry", "JSON"]),
        tests("AccessTests", ["Access", "JSON", "Crypto"]),
        tests("PosixTests", ["Posix", "msorch"]),
        tests("HTTPTests", ["HTTP", "Posix"]),
        tests("CompressionTests", ["Compression"]),
        tests("JournalTests", ["Journal", "Posix", "JSON", "CPosix"]),
        tests(
            "ServicesTests",
            [
                "Services", "QueueModel", "StackModel", "FunctionModel", "GatewayModel",
                "Telemetry", "Journal",
                "Access", "HTTP", "Posix", "JSON", "Crypto",
            ]),
        tests("CommandsTests", ["Commands", "StackModel", "JSON"]),
        tests(
            "CommandTests", ["Services", "QueueModel", "HTTP", "JSON", "Posix", "msorch"]),
        tests("CrashTests", ["JSON", "Posix", "msorch"]),
        tests("SimulationTests", ["Services", "Journal", "QueueModel", "Posix", "JSON"]),
        tests("TidyTests", []),
    ],
    swiftLanguageModes: [.v6]
)
