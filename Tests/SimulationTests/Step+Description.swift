extension Step.Action {
    var description: String {
        switch self {
        case .send(let entries):
            "send(\(entries.map(\.description).joined(separator: ", ")))"
        case .receive(let limit, let seconds, let attempt):
            "receive(\(limit), hidden for \(seconds) s\(attempt.map { ", as \($0)" } ?? ""))"
        case .delete(let picks): "delete(\(picks.count))"
        case .changeVisibility(_, let seconds): "changeVisibility(\(seconds) s)"
        case .purge: "purge"
        case .set(let setting): "set(\(setting))"
        case .redrive: "redrive"
        case .settle: "settle"
        case .restart: "restart"
        case .advanceClock(let milliseconds): "clock \(milliseconds) ms"
        case .losePower: "lose power"
        case .harmCheckpoint(let harm): "checkpoint: \(harm)"
        case .remove(let force): force ? "remove with its messages" : "remove"
        case .create: "create"
        case .submit(let action): "submit \(action)"
        case .limitDisk(let room): room.map { "disk: room for \($0) bytes" } ?? "disk: room"
        }
    }
}

extension Step.Entry {
    var description: String {
        var text = "\(bytes) B"
        if let group { text += " \(group)" }
        if let deduplicationID { text += " \(deduplicationID)" }
        if let delaySeconds { text += " after \(delaySeconds) s" }
        return text
    }
}
