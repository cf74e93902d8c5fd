import Glibc

/// What is fuzzed, by the name in `MSORCH_FUZZ`.
private let target: @Sendable (ArraySlice<UInt8>) -> Void = {
    let name = getenv("MSORCH_FUZZ").map { String(cString: $0) } ?? ""
    return switch name {
    case "request": { fuzzRequest($0) }
    case "response": { fuzzResponse($0) }
    case "json": { fuzzJSON($0) }
    case "policy": { fuzzPolicy($0) }
    case "token": { fuzzToken($0) }
    default: fatalError("MSORCH_FUZZ is request, response, json, policy or token")
    }
}()

@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<Arguments>,
    _ one: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

private typealias Arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

/// The executable's entry, by the name that the package manager gives it.
@_cdecl("Fuzz_main")
package func fuzzMain(
    _ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> CInt {
    var count = count
    var arguments = arguments
    return runFuzzer(&count, &arguments) { bytes, count in
        target(Array(UnsafeBufferPointer(start: bytes, count: count))[...])
        return 0
    }
}
