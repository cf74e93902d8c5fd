/// The candidate that somebody who typed `text` most likely meant, never `text` itself; `nil` if
/// none is near.
package func closestMatch(to text: String, among candidates: some Sequence<String>) -> String? {
    let limit = max(1, text.count / 3)
    return candidates.map { ($0, editDistance(text.lowercased(), $0.lowercased())) }
        .filter { $0.1 <= limit && $0.0 != text }
        .min { ($0.1, $0.0) < ($1.1, $1.0) }?.0
}

/// How many insertions, deletions, replacements and swaps of neighbours lead from one to the other.
package func editDistance(_ source: String, _ target: String) -> Int {
    let (source, target) = (Array(source), Array(target))
    var rows = [Array(0...target.count)]
    for i in 1..<(source.count + 1) {
        var row = [i]
        for j in 1..<(target.count + 1) {
            let isSame = source[i - 1] == target[j - 1]
            var best = min(
                rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (isSame ? 0 : 1))
            if i > 1, j > 1, source[i - 1] == target[j - 2], source[i - 2] == target[j - 1] {
                best = min(best, rows[i - 2][j - 2] + 1)
            }
            row.append(best)
        }
        rows.append(row)
    }
    return rows[source.count][target.count]
}
