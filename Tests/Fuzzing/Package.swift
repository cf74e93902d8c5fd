// swift-tools-version: 6.2
import PackageDescription

/// The parsers of what strangers send, under libFuzzer and the address sanitizer. `Scripts/fuzz`
/// copies this beside links to the sources, and builds it there.
let fuzzed: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .unsafeFlags(["-sanitize=fuzzer,address"]),
]

let package = Package(
    name: "fuzzing",
    targets: [
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto"),
        .target(name: "CPosix"),
        .target(name: "Posix", dependencies: ["CPosix"], swiftSettings: fuzzed),
        .target(name: "HTTP", dependencies: ["Posix"], swiftSettings: fuzzed),
        .target(
            name: "JSON", swiftSettings: fuzzed, linkerSettings: [.linkedLibrary("m")]),
        .target(name: "Crypto", dependencies: ["CCrypto"], swiftSettings: fuzzed),
        .target(name: "Access", dependencies: ["JSON", "Crypto"], swiftSettings: fuzzed),
        .executableTarget(
            name: "Fuzz", dependencies: ["HTTP", "JSON", "Access"],
            swiftSettings: fuzzed + [.unsafeFlags(["-parse-as-library"])],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])]),
    ],
    swiftLanguageModes: [.v6]
)
