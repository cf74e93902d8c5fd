import Access
import JSON

/// What was understood, written and read again, is the same.
func fuzzJSON(_ input: ArraySlice<UInt8>) {
    guard let value = try? JSONValue.parse(Array(input), maximumDepth: 64) else { return }
    for pretty in [false, true] {
        let text = value.serialized(pretty: pretty)
        guard let again = try? JSONValue.parse(text, maximumDepth: 64) else {
            fatalError("what was written cannot be read: \(text)")
        }
        precondition(again == value, "the same value")
    }
}

func fuzzPolicy(_ input: ArraySlice<UInt8>) {
    guard let json = try? JSONValue.parse(Array(input), maximumDepth: 64) else { return }
    _ = try? Policy(json: json)
    _ = try? TokenKeySet(json: json)
}

func fuzzToken(_ input: ArraySlice<UInt8>) {
    _ = try? TokenKeySet(text: Array(input))
    guard let token = try? WebToken(String(decoding: input, as: UTF8.self)) else { return }
    _ = try? token.claims()
}
