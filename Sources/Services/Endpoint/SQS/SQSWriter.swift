import Crypto
import JSON

/// Writes the members of an answer in either protocol: an answer describes itself once.
struct SQSWriter {
    enum Format: Sendable {
        case json
        /// The Query protocol's XML.
        case xml
    }

    let format: Format
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    /// Bytes that most answers about one message fit into.
    private static let usualLength = 192
    /// No member's name has so many, with what stands around it.
    private static let nameLength = 64

    init(_ format: Format) {
        self.format = format
        bytes.reserveCapacity(Self.usualLength)
    }

    mutating func text(_ name: StaticString, _ value: String) {
        member(name) { $0.string(value) }
    }

    mutating func text(_ name: StaticString, _ value: String?) {
        if let value { text(name, value) }
    }

    /// A text of at most `limit` bytes that neither protocol escapes anything of.
    mutating func plainText(
        _ name: StaticString, upTo limit: Int, _ write: (inout JSONPieces) -> Void
    ) {
        guard format == .json else {
            return member(name) { JSONWriter.gather(upTo: limit, to: &$0.bytes, write) }
        }
        let start = memberStart
        JSONWriter.gather(upTo: Self.nameLength + limit, to: &bytes) { pieces in
            pieces.append(start)
            pieces.append(name)
            pieces.append("\":\"")
            write(&pieces)
            pieces.append("\"")
        }
        needsComma = true
    }

    /// A digest's bits in hexadecimal.
    mutating func digest(_ name: StaticString, _ bits: (high: UInt64, low: UInt64)) {
        plainText(name, upTo: 32) { pieces in
            pieces.appendHexadecimal(bits.high, digits: 16)
            pieces.appendHexadecimal(bits.low, digits: 16)
        }
    }

    /// - Parameter inside: the inside of a JSON string.
    mutating func escapedText(_ name: StaticString, _ inside: [UInt8]) {
        member(name) { writer in
            switch writer.format {
            case .json:
                writer.bytes.append(UInt8(ascii: "\""))
                writer.bytes += inside
                writer.bytes.append(UInt8(ascii: "\""))
            case .xml: XMLText.append(JSONText.unescape(inside), to: &writer.bytes)
            }
        }
    }

    mutating func integer(_ name: StaticString, _ value: Int64) {
        member(name) { JSONWriter.appendInteger(value, to: &$0.bytes) }
    }

    mutating func flag(_ name: StaticString, _ value: Bool) {
        member(name) { JSONWriter.append(value ? "true" : "false", &$0.bytes) }
    }

    /// A list; XML repeats `element` for each of its members.
    mutating func list<Item>(
        _ name: StaticString, element: StaticString, _ items: some Sequence<Item>,
        _ write: (Item, inout SQSWriter) -> Void
    ) {
        switch format {
        case .json:
            member(name) { writer in
                writer.enclose("[", "]") { writer in
                    for item in items {
                        writer.separate()
                        write(item, &writer)
                    }
                }
            }
        case .xml: for item in items { member(element) { write(item, &$0) } }
        }
    }

    mutating func texts(
        _ name: StaticString, element: StaticString, _ texts: some Sequence<String>
    ) {
        list(name, element: element, texts) { $1.string($0) }
    }

    mutating func structures<Item>(
        _ name: StaticString, element: StaticString, _ items: some Sequence<Item>,
        _ write: (Item, inout SQSWriter) -> Void
    ) {
        list(name, element: element, items) { item, writer in
            writer.structure { write(item, &$0) }
        }
    }

    /// A map; XML writes each pair as `<element><Name>…</Name><Value>…</Value></element>`.
    mutating func map<Value>(
        _ name: StaticString, element: StaticString, key: StaticString = "Name",
        _ pairs: some Sequence<(name: String, value: Value)>,
        _ write: (Value, inout SQSWriter) -> Void
    ) {
        switch format {
        case .json:
            member(name) { writer in
                writer.enclose("{", "}") { writer in
                    for pair in pairs {
                        writer.separate()
                        writer.string(pair.name)
                        writer.bytes.append(UInt8(ascii: ":"))
                        write(pair.value, &writer)
                    }
                }
            }
        case .xml:
            for pair in pairs {
                member(element) { writer in
                    writer.text(key, pair.name)
                    writer.member("Value") { write(pair.value, &$0) }
                }
            }
        }
    }

    mutating func texts(
        _ name: StaticString, element: StaticString, key: StaticString = "Name",
        pairs: some Sequence<(name: String, value: String)>
    ) {
        map(name, element: element, key: key, pairs) { $1.string($0) }
    }

    /// The whole of an answer. No closure: it would hold a copy.
    mutating func answer(_ reply: SQSReply) {
        if format == .json { open("{") }
        reply.write(to: &self)
        if format == .json { close("}") }
    }

    /// The members that `write` gives, as one value.
    mutating func structure(_ write: (inout SQSWriter) -> Void) {
        switch format {
        case .json: enclose("{", "}", write)
        case .xml: write(&self)
        }
    }

    private mutating func string(_ text: String) {
        switch format {
        case .json: JSONWriter.appendString(text, to: &bytes)
        case .xml: XMLText.append(text.utf8, to: &bytes)
        }
    }

    private mutating func member(_ name: StaticString, _ value: (inout SQSWriter) -> Void) {
        switch format {
        case .json:
            let start = memberStart
            JSONWriter.gather(upTo: Self.nameLength, to: &bytes) { pieces in
                pieces.append(start)
                pieces.append(name)
                pieces.append("\":")
            }
            value(&self)
            needsComma = true
        case .xml:
            bytes.append(UInt8(ascii: "<"))
            JSONWriter.append(name, &bytes)
            bytes.append(UInt8(ascii: ">"))
            value(&self)
            JSONWriter.append("</", &bytes)
            JSONWriter.append(name, &bytes)
            bytes.append(UInt8(ascii: ">"))
        }
    }

    /// What stands before the name of a member in JSON.
    private var memberStart: StaticString { needsComma ? ",\"" : "\"" }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func enclose(
        _ open: Unicode.Scalar, _ close: Unicode.Scalar, _ write: (inout SQSWriter) -> Void
    ) {
        self.open(open)
        write(&self)
        self.close(close)
    }

    private mutating func open(_ bracket: Unicode.Scalar) {
        bytes.append(UInt8(ascii: bracket))
        needsComma = false
    }

    private mutating func close(_ bracket: Unicode.Scalar) {
        bytes.append(UInt8(ascii: bracket))
        needsComma = true
    }
}

/// Text of XML elements.
enum XMLText {
    /// Escapes what markup is made of, and carriage returns, which a parser would take for line
    /// ends (XML 1.0, section 2.11).
    static func append(_ utf8: some Sequence<UInt8>, to output: inout [UInt8]) {
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "&"): JSONWriter.append("&amp;", &output)
            case UInt8(ascii: "<"): JSONWriter.append("&lt;", &output)
            case UInt8(ascii: ">"): JSONWriter.append("&gt;", &output)
            case UInt8(ascii: "\""): JSONWriter.append("&quot;", &output)
            case 0x0D: JSONWriter.append("&#xD;", &output)
            case 0..<0x20 where byte != 0x09 && byte != 0x0A:
                // No XML may hold it; only error messages that quote a request could.
                output.append(UInt8(ascii: "?"))
            default: output.append(byte)
            }
        }
    }
}
