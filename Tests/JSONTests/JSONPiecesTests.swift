import JSON
import Testing

@Suite struct JSONPiecesTests {
    private func written(_ write: (inout JSONPieces) -> Void) -> String {
        var output: [UInt8] = []
        JSONWriter.gather(upTo: 20, to: &output) { write(&$0) }
        return String(decoding: output, as: UTF8.self)
    }

    @Test("integers of every length, in exactly their digits")
    func integers() {
        var value: UInt64 = 1
        var values: [UInt64] = [0, .max]
        for digit in 1...19 {
            values += [value - 1, value, value + 1, value * UInt64(digit % 9 + 1)]
            value = digit < 19 ? value * 10 : value
        }
        for value in values { #expect(written { $0.append(value) } == String(value)) }
        for value in [Int64.min, -100, -7, 42, .max] {
            #expect(written { $0.append(value) } == String(value))
        }
    }

    @Test("hexadecimal digits, the lowest so many")
    func hexadecimal() {
        #expect(
            written { $0.appendHexadecimal(0xFEDC_BA98_7654_3210, digits: 16) }
                == "fedcba9876543210")
        #expect(written { $0.appendHexadecimal(0x1234, digits: 2) } == "34")
        #expect(written { $0.appendHexadecimal(0xA, digits: 3) } == "00a")
    }
}
