import Posix

/// Room on the disk for records that take messages out or let work go on. When the disk is full
/// it is given to them; until it is kept again, everybody else is refused. The caller holds the
/// lock.
extension JournalSession {
    /// Enough to empty the journal, within the options' limits.
    private var reserveSize: UInt64 {
        UInt64(min(max(options.reserveBytes, state.bytesToEmpty), options.reserveLimit))
    }

    private mutating func openReserve() throws(SystemError) -> any JournalFile {
        if let reserve { return reserve }
        let file = try storage.open("\(folder)/reserve", creating: true)
        reserve = file
        return file
    }

    /// Brings it to its size, on a full disk in the room of what is kept as history. Without it a
    /// journal works as well, as long as the disk is not full; it is tried again whenever a segment
    /// or a checkpoint is written, and after a record that was refused for it.
    mutating func keepReserve() {
        isReserveShort = false
        do throws(SystemError) {
            try resizeReserve()
        } catch {
            // Of records that were abandoned the state still says what they consumed.
            guard error.isDiskFull, isLoaded, giveHistoryUp() else { return }
            try? resizeReserve()
        }
    }

    private mutating func resizeReserve() throws(SystemError) {
        let file = try openReserve()
        let size = try file.status().size
        let wanted = reserveSize
        if size < wanted {
            do throws(SystemError) {
                // More than is needed now, so that it need not grow with each message.
                try file.allocate(
                    wanted > UInt64(options.reserveBytes) ? wanted + wanted / 4 : wanted)
                try file.sync()
            } catch {
                reserve = nil  // whose sync failed is not to be synced again
                // What a failed attempt has taken must not count.
                try file.truncate(to: size)
                throw error
            }
        } else if size > 4 * wanted {
            try file.truncate(to: wanted)
        }
    }

    /// Whether it is whole, by one look; if not, who tidies next sees to it.
    var hasReserve: Bool {
        mutating get {
            isReserveKept = ((try? reserve?.status().size) ?? 0) >= reserveSize
            isReserveShort = !isReserveKept
            return isReserveKept
        }
    }

    /// As `hasReserve`, for who has not opened it.
    mutating func lookAfterReserve() {
        _ = try? openReserve()
        _ = hasReserve
    }

    /// For records that may not use it: refuses them while it is not kept and cannot be.
    mutating func requireReserve() throws(SystemError) {
        guard !isReserveKept else { return }
        let size = try? openReserve().status().size
        if (size ?? 0) < reserveSize {
            do throws(SystemError) {
                try resizeReserve()
            } catch  where error.isDiskFull {
                isReserveShort = true
                throw error
            } catch {
                // No sign of a full disk: the record itself will show.
            }
        }
        isReserveKept = true
    }

    /// Gives the reserve back.
    /// - Returns: whether there was any.
    mutating func cutReserve() -> Bool {
        isReserveKept = false
        guard let file = try? openReserve(), let size = try? file.status().size, size > 0 else {
            return false
        }
        return (try? file.truncate(to: 0)) != nil
    }

    /// Makes room for a record on a full disk: by the reserve, or by what is kept as history.
    /// - Returns: whether there was any.
    mutating func makeRoom() -> Bool {
        cutReserve() || giveHistoryUp()
    }

    /// - Returns: whether there was any.
    private mutating func giveHistoryUp() -> Bool {
        let before = segments.count
        try? reclaim(keeping: 0)
        return segments.count < before
    }
}
