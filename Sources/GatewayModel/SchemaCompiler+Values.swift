import JSON

/// A keyword's value, if it is of the right kind.
extension SchemaCompiler {
    mutating func list(
        _ elements: [JSONValue], _ path: [String]
    ) throws(RequestSchema.Mistake) -> [String] {
        var schemas: [String] = []
        for (index, element) in elements.enumerated() {
            schemas.append(try compile(element, at: path + [String(index)]))
        }
        return schemas
    }

    mutating func rest(
        _ value: JSONValue, _ path: [String]
    ) throws(RequestSchema.Mistake) -> SchemaNode.Rest {
        switch value {
        case .bool(let isAllowed): isAllowed ? .anything : .nothing
        default: .schema(try compile(value, at: path))
        }
    }

    func object(
        _ value: JSONValue, _ path: [String]
    ) throws(RequestSchema.Mistake) -> JSONObject {
        guard let object = value.objectValue else {
            throw Mistake(path: path, message: "it must be an object")
        }
        return object
    }

    func names(
        _ value: JSONValue, _ path: [String]
    ) throws(RequestSchema.Mistake) -> [String] {
        let texts = value.arrayValue?.compactMap(\.stringValue) ?? []
        guard !texts.isEmpty, texts.count == value.arrayValue?.count,
            Set(texts.map { ExactText($0) }).count == texts.count
        else { throw Mistake(path: path, message: "it must be a list of different names") }
        return texts
    }

    func number(
        _ value: JSONValue, _ path: [String]
    ) throws(RequestSchema.Mistake) -> DecimalNumber {
        guard case .number(let number) = value else {
            throw Mistake(path: path, message: "it must be a number")
        }
        return DecimalNumber(number)
    }

    func boolean(
        _ value: JSONValue, _ path: [String]
    ) throws(RequestSchema.Mistake) -> Bool {
        guard let boolean = value.boolValue else {
            throw Mistake(path: path, message: "it must be true or false")
        }
        return boolean
    }

    func count(_ value: JSONValue, _ path: [String]) throws(RequestSchema.Mistake) -> Int {
        guard let count = value.intValue, (0...Int64(Int32.max)).contains(count) else {
            throw Mistake(path: path, message: "it must be a number from 0 on")
        }
        return Int(count)
    }

    func pattern(
        _ value: JSONValue, _ path: [String]
    ) throws(RequestSchema.Mistake) -> TextPattern {
        guard let text = value.stringValue else {
            throw Mistake(path: path, message: "it must be a regular expression")
        }
        do throws(TextPattern.Mistake) {
            return try TextPattern(text)
        } catch {
            throw Mistake(path: path, message: "it is no regular expression: \(error.message)")
        }
    }

    /// RFC 6901.
    static func pointer(_ path: [String]) -> String {
        path.map { part in
            var text = "/".unicodeScalars
            for scalar in part.unicodeScalars {
                switch scalar {
                case "~": text.append(contentsOf: "~0".unicodeScalars)
                case "/": text.append(contentsOf: "~1".unicodeScalars)
                default: text.append(scalar)
                }
            }
            return String(text)
        }.joined()
    }
}
