import JSON

/// The whole state: what base records and checkpoints hold.
extension QueueState {
    package var base: QueueRecord { .base(json, held: Array(held.inOrder)) }

    /// Writes the members of that record; calls `spill` now and then, which may take what stands
    /// there.
    package func appendBase<Failure: Error>(
        to output: inout [UInt8], spill: (inout [UInt8]) throws(Failure) -> Void
    ) throws(Failure) {
        try QueueRecord.appendBase(json, held.inOrder, to: &output, spill: spill)
    }

    /// More than the records that a repair can have lost: each gave one number at most.
    private static let lostNumbers: UInt64 = 1 << 32

    /// The base record of a journal that another state's messages were brought into: `copy` holds
    /// them; counters, transfer numbers and deduplication ids are this one's.
    package func moved(into copy: QueueState, at now: Timestamp) -> QueueRecord {
        var object = copy.json
        for name in [
            "created", "counters", "moved", "compressed", "lastTransfer", "taken", "lastPurge",
            "deduplication", "forgotten", "modified", "tasks",
        ] { if let value = json[name] { object[name] = value } }
        object["repaired"] = .int(now.milliseconds)
        // A transfer that its taker knows may be lost: its number must not be given again.
        let number = max(copy.lastTransfer, lastTransfer) + Self.lostNumbers
        object["lastTransfer"] = .int(Int64(clamping: number))
        return .base(object, held: Array(copy.held.inOrder))
    }

    /// All but the held messages.
    private var json: JSONObject {
        var json = plainJSON
        // What most queues never have is left out.
        if counters.moved > 0 { json["moved"] = .int(Int64(counters.moved)) }
        let compression = counters.compression
        if compression.messages > 0 {
            json["compressed"] = [
                .int(Int64(compression.messages)), .int(Int64(compression.bytesBefore)),
                .int(Int64(compression.bytesAfter)),
            ]
        }
        if streamed > 0 { json["sentTimes"] = sentTimes.json }
        if let repaired { json["repaired"] = .int(repaired.milliseconds) }
        if let modified { json["modified"] = .int(modified.milliseconds) }
        if !moveTasks.isEmpty { json["tasks"] = .array(moveTasks.map(\.fullJSON)) }
        if !attempts.order.isEmpty { json["attempts"] = attempts.json }
        if !delayed.isEmpty { json["delayed"] = delayed.json }
        if fair.isActive { json["fair"] = fair.json }
        if requeued != RequeuedMessages() { json["requeued"] = requeued.json }
        if let forgotten { json["forgotten"] = .int(forgotten.milliseconds) }
        if purgeRecord > 0 { json["purge"] = .int(Int64(clamping: purgeRecord)) }
        return json
    }

    private var plainJSON: JSONObject {
        [
            "format": .int(Self.format),
            "created": created.map { .int($0.milliseconds) } ?? .null,
            "settings": settings.json,
            "head": head.json,
            "streamed": .int(Int64(streamed)),
            "counters": [
                "sent": .int(Int64(counters.sent)), "received": .int(Int64(counters.received)),
                "deleted": .int(Int64(counters.deleted)), "expired": .int(Int64(counters.expired)),
                "purged": .int(Int64(counters.purged)),
                "deadLettered": .int(Int64(counters.deadLettered)),
                "taken": .int(Int64(counters.taken)),
            ],
            "transfers": .array(
                transfers.map { transfer in
                    [
                        "x": .int(Int64(transfer.number)), "to": .string(transfer.target),
                        "move": .bool(transfer.isMove),
                        "held": .array(transfer.messages.map(\.json)),
                    ]
                }),
            "lastTransfer": .int(Int64(lastTransfer)),
            "taken": .object(
                JSONObject(
                    taken.sorted { $0.key < $1.key }.map { ($0.key, .int(Int64($0.value))) })),
            "lastPurge": lastPurge.map { .int($0.milliseconds) } ?? .null,
            "deduplication": .array(
                deduplicationOrder[deduplicationStart...].compactMap { key in
                    deduplications[key].map {
                        [
                            .string(key), .string($0.messageID.text), $0.place.json,
                            .int($0.time.milliseconds),
                        ]
                    }
                }),
        ]
    }

    mutating func restore(
        _ json: JSONObject, held messages: consuming [HeldMessage], at time: Timestamp
    ) {
        self = QueueState()
        created = json["created"]?.intValue.map { Timestamp(milliseconds: $0) } ?? time
        func count(_ value: JSONValue?) -> UInt64 { UInt64(clamping: value?.intValue ?? 0) }
        settings = QueueSettings(json: json["settings"] ?? .null)
        head = Head(json: json["head"]) ?? head
        streamed = count(json["streamed"])
        sentTimes = SentTimes(
            json: json["sentTimes"], retentionSeconds: settings.retentionSeconds, total: streamed,
            at: time)
        let totals = json["counters"]
        counters = Counters(
            sent: count(totals?["sent"]), received: count(totals?["received"]),
            deleted: count(totals?["deleted"]), expired: count(totals?["expired"]),
            purged: count(totals?["purged"]), deadLettered: count(totals?["deadLettered"]),
            taken: count(totals?["taken"]), moved: count(json["moved"]))
        if let compressed = json["compressed"]?.arrayValue, compressed.count == 3 {
            counters.compression = Compression(
                messages: count(compressed[0]), bytesBefore: count(compressed[1]),
                bytesAfter: count(compressed[2]))
        }
        hold(all: consume messages, at: time)
        delayed = DelayedBacklog(json: json["delayed"])
        modified = json["modified"]?.intValue.map { Timestamp(milliseconds: $0) }
        repaired = json["repaired"]?.intValue.map { Timestamp(milliseconds: $0) }
        attempts = ReceiveAttempts(json: json["attempts"])
        moveTasks = (json["tasks"]?.arrayValue ?? []).compactMap { MoveTask(json: $0) }
        restoreFairShare(FairShare(json: json["fair"]))
        requeued = RequeuedMessages(json: json["requeued"] ?? .null)
        for value in json["transfers"]?.arrayValue ?? [] {
            transfers.append(
                Transfer(
                    number: count(value["x"]), target: value["to"]?.stringValue ?? "",
                    isMove: value["move"]?.boolValue ?? false,
                    messages: (value["held"]?.arrayValue ?? []).compactMap { HeldMessage(json: $0) }
                ))
        }
        lastTransfer = count(json["lastTransfer"])
        for (giver, number) in json["taken"]?.objectValue?.members ?? [] {
            taken[giver] = count(number)
        }
        lastPurge = json["lastPurge"]?.intValue.map { Timestamp(milliseconds: $0) }
        purgeRecord = count(json["purge"])
        forgotten = json["forgotten"]?.intValue.map { Timestamp(milliseconds: $0) }
        for value in json["deduplication"]?.arrayValue ?? [] {
            guard let parts = value.arrayValue, parts.count == 4, let key = parts[0].stringValue,
                let id = parts[1].stringValue, let place = Place(json: parts[2]),
                let time = parts[3].intValue
            else { continue }
            deduplicationOrder.append(key)
            deduplications[key] = Deduplication(
                messageID: MessageID(id), place: place, time: Timestamp(milliseconds: time))
        }
    }
}

extension RequeuedMessages {
    var json: JSONValue {
        [
            "handles": .array(
                order.compactMap { handle in
                    self[handle].map {
                        [
                            handle.json, $0.place.json, hexBits($0.bits),
                            .int($0.sent.milliseconds),
                        ]
                    }
                }),
            "holes": .array(holes.sorted().map(\.json)),
        ]
    }

    init(json: JSONValue) {
        for value in json["handles"]?.arrayValue ?? [] {
            guard let parts = value.arrayValue, parts.count == 4,
                let handle = Place(json: parts[0]), let place = Place(json: parts[1]),
                let bits = bits(parts[2]), let sent = parts[3].intValue
            else { continue }
            add(
                handle,
                Requeued(place: place, bits: bits, sent: Timestamp(milliseconds: sent)))
        }
        for value in json["holes"]?.arrayValue ?? [] {
            if let place = Place(json: value) { restore(hole: place) }
        }
    }
}

extension HeldMessage {
    var json: JSONValue {
        var object = entry.json.objectValue ?? JSONObject()
        object["count"] = .int(receiveCount)
        object["until"] = .int(visibleAt.milliseconds)
        if let firstReceived { object["first"] = .int(firstReceived.milliseconds) }
        if let lastReceived { object["last"] = .int(lastReceived.milliseconds) }
        if bits != 0 { object["bits"] = hexBits(bits) }
        return .object(object)
    }

    init?(json: JSONValue) {
        guard let entry = StreamEntry(json: json), let count = json["count"]?.intValue,
            let until = json["until"]?.intValue
        else { return nil }
        self.init(
            entry: entry, receiveCount: count, visibleAt: Timestamp(milliseconds: until),
            firstReceived: json["first"]?.intValue.map { Timestamp(milliseconds: $0) },
            lastReceived: json["last"]?.intValue.map { Timestamp(milliseconds: $0) },
            bits: QueueModel.bits(json["bits"]) ?? 0)
    }
}
