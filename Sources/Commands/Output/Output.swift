import JSON
import Posix

/// Where a command's results go: data to standard output, words to standard error.
package struct Output: Sendable {
    package enum Format: String, CaseIterable, Sendable {
        case text
        case json
        case csv
    }

    package var format = Format.text
    package var isQuiet = false
    /// What the user should know if a result cannot be written out: what was done all the same.
    package var hintIfLost: String?

    package init() {}

    /// One line of data.
    /// - Throws: `BrokenPipe` if nobody reads any more.
    package func data(_ line: String) throws { try data(Array((line + "\n").utf8)) }

    package func data(_ bytes: [UInt8]) throws {
        do throws(SystemError) {
            try StandardStream.output.writeAll(bytes)
        } catch  where error.isBrokenPipe {
            throw BrokenPipe()
        } catch {
            throw CommandError(.inputOutput, "\(error).", hint: hintIfLost)
        }
    }

    /// A result: as one line of JSON, or as text.
    package func result(_ json: @autoclosure () throws -> JSONValue, text: () -> String?) throws {
        switch format {
        case .json: try data(json().serialized())
        case .text, .csv: if let text = text() { try data(text) }
        }
    }

    /// A result that is a table.
    package func table(_ json: JSONValue, _ header: [String], _ rows: [[String]]) throws {
        switch format {
        case .json: try data(json.serialized())
        case .text: try data(Self.table(header, rows))
        case .csv: try csv(header, rows)
        }
    }

    /// Comma-separated values (RFC 4180, with plain line ends).
    package func csv(_ header: [String], _ rows: [[String]]) throws {
        for row in [header] + rows {
            let fields = row.map { field -> String in
                guard field.contains(where: { ",\"\n\r".contains($0) }) else { return field }
                return "\""
                    + field.split(separator: "\"", omittingEmptySubsequences: false)
                    .joined(separator: "\"\"") + "\""
            }
            try data(fields.joined(separator: ","))
        }
    }

    /// Something worth saying that is not data; silent with `--quiet`.
    package func note(_ words: String) {
        if !isQuiet { StandardStream.error.write("\(words)\n".utf8) }
    }

    package func error(_ error: CommandError) {
        var text = "error: \(error.message)\n"
        if let hint = error.hint { text += "hint: \(hint)\n" }
        StandardStream.error.write(text.utf8)
    }

    /// What went wrong with some of many, after the others were shown.
    /// - Throws: the last one; those before it are said.
    package func check(_ failures: [any Error]) throws {
        for failure in failures.dropLast() { error(CommandError(failure)) }
        if let last = failures.last { throw last }
    }

    /// Columns, the first to the left and numbers to the right.
    package static func table(_ header: [String], _ rows: [[String]]) -> String {
        let widths = header.indices.map { column in
            ([header] + rows).map { $0[column].count }.max() ?? 0
        }
        return ([header] + rows).map { row in
            row.indices.map { column in
                let space = String(repeating: " ", count: widths[column] - row[column].count)
                let isNumber = column > 0 && rows.allSatisfy { Double($0[column]) != nil }
                return isNumber ? space + row[column] : row[column] + space
            }.joined(separator: "  ").trimmingTrailingSpaces
        }.joined(separator: "\n")
    }
}

/// Nobody reads the output any more: the command ends in silence.
package struct BrokenPipe: Error {}

extension String {
    fileprivate var trimmingTrailingSpaces: String {
        var text = self
        while text.last == " " { text.removeLast() }
        return text
    }
}
