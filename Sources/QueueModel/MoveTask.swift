import JSON

/// Moving what is in a dead-letter queue to another queue (SQS, *StartMessageMoveTask*).
package struct MoveTask: Equatable, Sendable {
    package enum Status: String, Sendable {
        case running = "RUNNING"
        case completed = "COMPLETED"
        case cancelling = "CANCELLING"
        case cancelled = "CANCELLED"
        case failed = "FAILED"

        package var isActive: Bool { self == .running || self == .cancelling }
    }

    package var id: String
    /// `nil`: each message goes to the queue whose dead letter it is.
    package var target: String?
    /// Messages a second; `nil` is as fast as it goes.
    package var rate: Int64?
    /// Visible messages when it was started.
    package var toMove: UInt64
    /// How many messages it moves at most: as many as the queue then held in any state. `nil` in an
    /// earlier version's record, whose task moves `toMove` at most.
    package var limit: UInt64?
    package var started = Timestamp(milliseconds: 0)
    package var moved: UInt64 = 0
    package var status = Status.running
    /// Why it failed, in AWS's words.
    package var failure: String?

    package init(id: String, target: String?, rate: Int64?, toMove: UInt64, limit: UInt64?) {
        self.id = id
        self.target = target
        self.rate = rate
        self.toMove = toMove
        self.limit = limit
    }

    /// How many it may still move: it ends though what it moved fails again and comes back.
    package var left: UInt64 {
        let limit = limit ?? toMove
        return limit - min(limit, moved)
    }

    /// What its record says; the rest follows from the records behind it.
    var json: JSONObject {
        var json: JSONObject = ["id": .string(id), "count": .int(Int64(clamping: toMove))]
        if let limit { json["limit"] = .int(Int64(clamping: limit)) }
        if let target { json["to"] = .string(target) }
        if let rate { json["rate"] = .int(rate) }
        return json
    }

    init?(json: JSONValue) {
        guard let id = json["id"]?.stringValue, let count = json["count"]?.intValue else {
            return nil
        }
        self.init(
            id: id, target: json["to"]?.stringValue, rate: json["rate"]?.intValue,
            toMove: UInt64(clamping: count),
            limit: json["limit"]?.intValue.map { UInt64(clamping: $0) })
        started = Timestamp(milliseconds: json["started"]?.intValue ?? 0)
        moved = UInt64(clamping: json["moved"]?.intValue ?? 0)
        status = json["status"]?.stringValue.flatMap(Status.init) ?? .running
        failure = json["failure"]?.stringValue
    }

    /// All of it, for a base record.
    var fullJSON: JSONValue {
        var full = json
        full["started"] = .int(started.milliseconds)
        full["moved"] = .int(Int64(clamping: moved))
        full["status"] = .string(status.rawValue)
        if let failure { full["failure"] = .string(failure) }
        return .object(full)
    }
}

extension QueueState {
    /// The one that runs, or should.
    package var activeMoveTask: MoveTask? { moveTasks.last { $0.status.isActive } }

    /// The record that starts `task`.
    /// - Throws: in SQS's words, if one is active.
    package func start(_ task: MoveTask) throws(SQSError) -> QueueRecord {
        guard activeMoveTask == nil else {
            throw .invalidParameter(
                "There is already a task running. Only one active task is allowed for a source "
                    + "queue arn at a given time.")
        }
        return .moveTask(task)
    }

    /// The records that send messages, received just now, to their targets; those without one
    /// become visible again.
    ///
    /// - Parameter target: of a message that came from the queue of that name; `nil` is unknown.
    /// - Returns: how many are on their way, and whether all are.
    package func move(
        _ messages: [ReceivedMessage], at now: Timestamp, target: (String?) -> String?
    ) -> (records: [QueueRecord], count: Int, isComplete: Bool) {
        var transfers: [(target: String, places: [Place], bytes: Int)] = []
        var left: [Place] = []
        for message in messages {
            let place = message.entry.place
            guard let target = target(message.entry.past?.source) else {
                left.append(place)
                continue
            }
            let bytes = Int(message.entry.record.length)
            // In order: one that is full is not gone back to.
            if let index = transfers.lastIndex(where: { $0.target == target }),
                transfers[index].bytes + bytes <= QueueLimits.carriedBytes
            {
                transfers[index].places.append(place)
                transfers[index].bytes += bytes
            } else {
                transfers.append((target, [place], bytes))
            }
        }
        var records: [QueueRecord] = []
        for (index, transfer) in transfers.enumerated() {
            records.append(
                .transfer(
                    number: lastTransfer + 1 + UInt64(index), target: transfer.target,
                    isMove: true, transfer.places))
        }
        if !left.isEmpty { records.append(.visibility(left.map { ($0, now) })) }
        return (records, messages.count - left.count, left.isEmpty)
    }

    mutating func apply(_ task: MoveTask, at time: Timestamp) {
        var task = task
        task.started = time
        moveTasks.append(task)
        if moveTasks.count > QueueLimits.moveTasks { moveTasks.removeFirst() }
    }

    mutating func apply(_ status: MoveTask.Status, of id: String, failure: String?) {
        guard let index = moveTasks.lastIndex(where: { $0.id == id }) else { return }
        moveTasks[index].status = status
        moveTasks[index].failure = failure
    }

    mutating func countMoved(_ count: Int) {
        guard let index = moveTasks.lastIndex(where: { $0.status.isActive }) else { return }
        moveTasks[index].moved += UInt64(count)
    }
}
