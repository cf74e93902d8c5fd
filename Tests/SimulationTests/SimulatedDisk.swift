import Glibc
import Posix

/// A disk in memory, and what it may do to a writer.
///
/// Fault model. A file has two faces: what processes read (the page cache) and what would be there
/// after the power was cut (the disk). A write changes the first and marks its pages; a sync copies
/// marked pages to the second. A sync that fails has written some of the marked pages, and some of
/// the others it forgets: they stay readable, but no later sync writes them. Each handle that was
/// open then hears of the failure once, at its own next sync; a handle opened later never does.
///
/// When the power is cut, each marked page is on its own kept, lost, or, where it was new, zeros;
/// one that was written more than once may be kept as it was before the last time. The size is the
/// old one, the new one, or any between. A page is what the hardware writes in one
/// piece, so what was synced in it survives whatever was written beside it.
///
/// A folder is the same with names. Created, renamed and removed names are changes that stay in
/// memory until the folder is synced; cut power keeps any of them and loses any others, each change
/// whole: a rename never loses the file under both names. Syncing a file does not sync its name.
///
/// What was synced is never harmed: damage of that kind has its own tests. Locks die with their
/// process, as `flock` does.
final class SimulatedDisk {
    static let pageBytes = 256

    final class File {
        let inode: UInt64
        fileprivate(set) var bytes: [UInt8] = []
        fileprivate var disk: [UInt8] = []
        fileprivate var marked: Set<Int> = []
        /// Marked pages as they were before they were written last.
        fileprivate var former: [Int: [UInt8]] = [:]
        /// Syncs that failed so far.
        fileprivate(set) var failedSyncs = 0
        /// The handle that holds the `flock`.
        var lockHolder: ObjectIdentifier?

        fileprivate init(inode: UInt64) { self.inode = inode }
    }

    indirect enum Entry {
        case file(File)
        case folder(Folder)
    }

    final class Folder {
        fileprivate(set) var entries: [String: Entry] = [:]
        fileprivate var disk: [String: Entry] = [:]
        fileprivate var changes: [Change] = []
    }

    fileprivate enum Change {
        case put(String, Entry)
        case remove(String)
        case rename(String, to: String, Entry)

        func make(in entries: inout [String: Entry]) {
            switch self {
            case .put(let name, let entry): entries[name] = entry
            case .remove(let name): entries[name] = nil
            case .rename(let source, let target, let entry):
                entries[source] = nil
                entries[target] = entry
            }
        }
    }

    private(set) var root = Folder()
    private var lastInode: UInt64 = 1
    /// Bytes of all files that were ever linked; approximate, for a disk that fills up.
    private(set) var used = 0

    // MARK: names

    func entry(_ path: String) -> Entry? {
        var entry = Entry.folder(root)
        for name in path.split(separator: "/") {
            guard case .folder(let folder) = entry, let next = folder.entries[String(name)]
            else { return nil }
            entry = next
        }
        return entry
    }

    func folder(_ path: String) -> Folder? {
        if case .folder(let folder) = entry(path) { folder } else { nil }
    }

    func file(_ path: String) -> File? {
        if case .file(let file) = entry(path) { file } else { nil }
    }

    private func parent(of path: String) -> (folder: Folder, name: String)? {
        guard let slash = path.lastIndex(of: "/"), let folder = folder(String(path[..<slash]))
        else { return nil }
        return (folder, String(path[path.index(after: slash)...]))
    }

    private func change(_ folder: Folder, _ change: Change) {
        change.make(in: &folder.entries)
        folder.changes.append(change)
    }

    func createFile(_ path: String) -> File? {
        guard let (folder, name) = parent(of: path) else { return nil }
        lastInode += 1
        let file = File(inode: lastInode)
        change(folder, .put(name, .file(file)))
        return file
    }

    /// Makes one folder; its parent must be there.
    func createFolder(_ path: String) -> Bool {
        guard let (folder, name) = parent(of: path) else { return false }
        if folder.entries[name] == nil { change(folder, .put(name, .folder(Folder()))) }
        return true
    }

    /// Within one folder.
    /// - Returns: 0, or why not.
    func rename(_ source: String, to target: String) -> CInt {
        guard let (folder, name) = parent(of: source), let (other, newName) = parent(of: target),
            folder === other, let entry = folder.entries[name]
        else { return ENOENT }
        switch folder.entries[newName] {
        case .file(let file): used -= file.bytes.count
        case .folder(let there) where !there.entries.isEmpty: return ENOTEMPTY
        case .folder, nil: break
        }
        change(folder, .rename(name, to: newName, entry))
        return 0
    }

    func remove(_ path: String) {
        guard let (folder, name) = parent(of: path), let entry = folder.entries[name] else {
            return
        }
        if case .file(let file) = entry { used -= file.bytes.count }
        change(folder, .remove(name))
    }

    func sync(_ folder: Folder) {
        folder.disk = folder.entries
        folder.changes = []
    }

    // MARK: bytes

    func write(_ bytes: some Collection<UInt8>, to file: File, at offset: Int) {
        let end = offset + bytes.count
        if file.bytes.count < end {
            used += end - file.bytes.count
            file.bytes.append(contentsOf: repeatElement(0, count: end - file.bytes.count))
        }
        let pages = bytes.isEmpty ? 0..<0 : Self.pages(offset, end)
        for page in pages where file.marked.contains(page) {
            file.former[page] = Array(file.bytes[Self.range(of: page, in: file.bytes.count)])
        }
        file.bytes.replaceSubrange(offset..<end, with: bytes)
        file.marked.formUnion(pages)
    }

    func truncate(_ file: File, to size: Int) {
        used += size - file.bytes.count
        if size < file.bytes.count {
            file.bytes.removeLast(file.bytes.count - size)
        } else {
            file.bytes.append(contentsOf: repeatElement(0, count: size - file.bytes.count))
        }
    }

    func sync(_ file: File) {
        Self.copy(file.marked, from: file.bytes, to: &file.disk, size: file.bytes.count)
        file.marked = []
        file.former = [:]
    }

    /// Some pages were written, some others will never be.
    func failSync(_ file: File, _ random: inout Generator) {
        let pages = file.marked.sorted()
        let written = Set(pages.filter { _ in random.chance(1, in: 2) })
        let size = written.isEmpty ? file.disk.count : file.bytes.count
        Self.copy(written, from: file.bytes, to: &file.disk, size: size)
        file.marked = Set(pages.filter { !written.contains($0) && random.chance(1, in: 4) })
        file.former = file.former.filter { file.marked.contains($0.key) }
        file.failedSyncs += 1
    }

    private static func pages(_ start: Int, _ end: Int) -> Range<Int> {
        start / pageBytes..<(end + pageBytes - 1) / pageBytes
    }

    private static func range(of page: Int, in size: Int) -> Range<Int> {
        page * pageBytes..<max(page * pageBytes, min((page + 1) * pageBytes, size))
    }

    private static func copy(
        _ pages: Set<Int>, from source: [UInt8], to target: inout [UInt8], size: Int
    ) {
        if target.count > size { target.removeLast(target.count - size) }
        target.append(contentsOf: repeatElement(0, count: size - target.count))
        for page in pages {
            let start = page * pageBytes
            let end = min(start + pageBytes, size)
            if start < end { target.replaceSubrange(start..<end, with: source[start..<end]) }
        }
    }

    // MARK: power

    /// What processes will find when the power is back.
    func losePower(_ random: inout Generator) {
        used = 0
        losePower(in: root, &random)
    }

    private func losePower(in folder: Folder, _ random: inout Generator) {
        // Half of the time the kernel had just written everything, or nothing.
        let fate = random.below(4)
        for change in folder.changes where fate == 0 || (fate > 1 && random.chance(1, in: 2)) {
            change.make(in: &folder.disk)
        }
        folder.changes = []
        folder.entries = folder.disk
        for name in folder.entries.keys.sorted() {
            switch folder.entries[name] {
            case .file(let file):
                losePower(of: file, &random)
                used += file.bytes.count
            case .folder(let inner): losePower(in: inner, &random)
            case nil: break
            }
        }
    }

    private func losePower(of file: File, _ random: inout Generator) {
        defer {
            file.disk = file.bytes
            file.marked = []
            file.former = [:]
            file.failedSyncs = 0
        }
        let (old, new) = (file.disk.count, file.bytes.count)
        guard !file.marked.isEmpty || old != new else {
            file.bytes = file.disk
            return
        }
        let size =
            switch random.below(4) {
            case 0: old
            case 1: min(old, new) + random.below(max(old, new) - min(old, new) + 1)
            default: new
            }
        var result = file.disk
        let fate = random.below(4)
        let kept = file.marked.sorted()
            .filter { _ in fate == 0 || (fate > 1 && random.chance(1, in: 2)) }
        var source = file.bytes + zeros(size - new)
        for page in kept where fate > 1 && page * Self.pageBytes < source.count {
            guard let former = file.former[page], random.chance(1, in: 3) else { continue }
            let end = min(source.count, page * Self.pageBytes + former.count)
            let range = Self.range(of: page, in: end)
            source.replaceSubrange(range, with: former.prefix(range.count))
        }
        Self.copy(Set(kept), from: source, to: &result, size: size)
        file.bytes = result
    }

    private func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: max(0, count)) }

    // MARK: copies

    /// Writes what processes see to real files below `path`.
    func save(to path: String) throws {
        try Self.save(root, to: path)
    }

    private static func save(_ folder: Folder, to path: String) throws {
        try FileSystem.makeDirectory(path)
        for (name, entry) in folder.entries {
            switch entry {
            case .folder(let inner): try save(inner, to: "\(path)/\(name)")
            case .file(let file): try FileSystem.replace("\(path)/\(name)", with: file.bytes)
            }
        }
    }

    /// The same files as processes see them now, to look at without leaving a trace.
    func copy() -> SimulatedDisk {
        let other = SimulatedDisk()
        other.lastInode = lastInode
        other.root = Self.copy(root)
        return other
    }

    private static func copy(_ folder: Folder) -> Folder {
        let other = Folder()
        other.entries = folder.entries.mapValues { entry in
            switch entry {
            case .folder(let inner): return .folder(copy(inner))
            case .file(let file):
                let twin = File(inode: file.inode)
                twin.bytes = file.bytes
                return .file(twin)
            }
        }
        return other
    }
}
