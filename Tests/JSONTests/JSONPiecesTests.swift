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

    @Test("decimal digits, with zeros in front, the lowest so many")
    func decimal() {
        #expect(written { $0.append(7, digits: 3) } == "007")
        #expect(written { $0.append(1234, digits: 2) } == "34")
        #expect(written { $0.append(.max, digits: 8) } == "09551615")
    }

    @Test("texts stand in quotes, and what they hold may take six times its room")
    func texts() {
        #expect(written { $0.append(quoted: "") } == #""""#)
        #expect(written { $0.append(quoted: "ein Gruß, plain") } == #""ein Gruß, plain""#)
        #expect(written { $0.append(quoted: "a\"b\u{1}\n") } == #""a\"b\u0001\n""#)
        #expect(written { $0.append(quoted: "\u{1}\u{1f}\u{0}") } == #""\u0001\u001f\u0000""#)
    }

    @Test("hexadecimal digits, the lowest so many")
    func hexadecimal() {
        #expect(
            written { $0.appendHexadecimal(0xFEDC_BA98_7654_3210, digits: 16) }
                == "fedcba9876543210")
        #expect(written { $0.appendHexadecimal(0x1234, digits: 2) } == "34")
        #expect(written { $0.appendHexadecimal(0xA, digits: 3) } == "00a")
        for digits in 1...16 {
            let text = "0123456789abcdef".suffix(digits)
            #expect(written { $0.appendHexadecimal(0x0123_4567_89AB_CDEF, digits: digits) } == text)
        }
    }

    @Test("eight hexadecimal digits are read back, and nothing else is")
    func hexadecimalWords() {
        for value: UInt32 in [0, 1, 0x9ABC_DEF0, 0xFFFF_FFFF, 0x0A0A_9090] {
            #expect(Hexadecimal.value(of: Hexadecimal.digits(of: value)) == value)
        }
        for place in 0..<8 {
            for byte in UInt8.min...UInt8.max {
                var text = Array("00000000".utf8)
                text[place] = byte
                let isDigit = (48...57).contains(byte) || (97...102).contains(byte)
                let value = text.withUnsafeBytes { Hexadecimal.value($0, at: 0) }
                #expect((value != nil) == isDigit)
                if isDigit {
                    #expect(value == UInt32(String(decoding: text, as: UTF8.self), radix: 16))
                }
            }
        }
        let short = Array("0000000".utf8)
        #expect(short.withUnsafeBytes { Hexadecimal.value($0, at: 0) } == nil)
        #expect(short.withUnsafeBytes { Hexadecimal.value($0, at: 0, and: 4) } == nil)
    }
}
