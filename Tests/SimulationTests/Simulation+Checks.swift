import JSON
import QueueModel

@testable import Journal
@testable import Services

/// What is looked at, and what must hold.
extension Simulation {
    func look(_ name: String, through process: SimulatedProcess) throws -> QueueView {
        let interrupt = world.interrupt
        world.interrupt = nil
        let (faults, failed) = (process.faults, process.hasFailed)
        process.faults = []
        defer {
            world.interrupt = interrupt
            process.faults = faults
            process.hasFailed = failed
        }
        return try QueueView(of: name, through: process)
    }

    /// The queue as another process would find it that opens it now.
    private func lookAnew(_ names: [String]) throws -> [String: QueueView] {
        let observer = world.observer()
        defer { observer.die() }
        return try Dictionary(
            uniqueKeysWithValues: names.map { ($0, try QueueView(of: $0, through: observer)) })
    }

    /// Looks at what the step that is being taken has changed so far.
    ///
    /// - Parameter quietly: nothing unusual happened: its own process may be asked, most times.
    func observe(quietly: Bool) {
        guard let index = frames.indices.last, let operation = frames[index].operation else {
            return
        }
        let frame = frames[index]
        let peer = scenario.queues.first { $0.name == operation.queue }?.peer
        let names = [operation.queue] + (operation.opensPeer ? peer.map { [$0] } ?? [] : [])
        do {
            var views: [String: QueueView] = [:]
            if quietly {
                for name in names { views[name] = try look(name, through: frame.process) }
            }
            if !quietly || frame.step.salt % 8 == 0 {
                let fresh = try lookAnew(names)
                for (name, view) in views where fresh[name]?.state != view.state {
                    return fail("\(name): who opens it sees another state than who has it open")
                }
                views = fresh
            }
            try explain(views, by: frame.isEffective ? nil : operation, index)
            try balance(views)
        } catch let error as Violation {
            fail(error.text)
        } catch {
            fail("\(operation.queue) does not open: \(error)")
        }
    }

    private func explain(
        _ views: [String: QueueView], by operation: Operation?, _ frame: Int
    ) throws {
        let giver = frames[frame].operation?.queue
        notePassage(views, by: frames[frame].operation)
        for (name, view) in views.sorted(by: { a, _ in a.key == giver }) {
            guard let queue = tracks[name]?.current else { continue }
            let (next, isChanged) = try queue.explain(
                view, by: operation, isElsewhere: elsewhere(name, views)
            ) { token in self.departures(of: token, to: name, in: nil, self.tracks) }
            guard isChanged else {
                tracks[name]?.replaceCurrent(next)
                continue
            }
            let own = operation?.queue == name ? operation : nil
            tracks[name]?.append(next, by: own)
            if own != nil {
                frames[frame].effects.append(next)
                frames[frame].effectIndex = tracks[name]?.currentIndex
                if own?.isSingle == true { frames[frame].isEffective = true }
            }
        }
    }

    /// A receive and a redrive first take what is still on its way to their queue, and may find that
    /// it is too old; a redrive may move it on in the same step. Nobody has seen it there then.
    private func notePassage(_ views: [String: QueueView], by operation: Operation?) {
        guard let operation, operation.takesArrivals, let peer = peer(of: operation.queue),
            let here = views[operation.queue], let there = views[peer],
            let giver = tracks[peer]?.current,
            var queue = tracks[operation.queue]?.current
        else { return }
        let last = here.taken[there.origin] ?? 0
        let isComing = Set(there.transfers.filter { $0.number > last }.flatMap(\.tokens))
        let isHere = Set(here.messages.map(\.token))
        let isBeyond = Set(there.messages.map(\.token) + here.transfers.flatMap(\.tokens))
        let mayBeTooOld =
            here.lastTime - Simulation.start >= .seconds(queue.settings.retentionSeconds)
        var isCounted = false
        for token in giver.underWay.subtracting(isComing).subtracting(isHere) {
            // It may have been seen here since the giver was looked at.
            guard queue.arrived[token, default: 0] < giver.departed[token, default: 0] else {
                continue
            }
            guard isBeyond.contains(token) || mayBeTooOld else { continue }
            queue.arrived[token, default: 0] += 1
            if isBeyond.contains(token) { queue.departed[token, default: 0] += 1 }
            isCounted = true
        }
        // A power cut may leave them here, and take back that they were passed.
        if isCounted { tracks[operation.queue]?.append(queue, by: operation) }
    }

    private func departures(
        of token: String, to name: String, in cutOff: Operation?, _ tracks: [String: Track]
    ) -> Int {
        guard let peer = peer(of: name) else { return 0 }
        return tracks[peer]?.departures(of: token, in: cutOff) ?? 0
    }

    private func peer(of name: String) -> String? {
        scenario.queues.first { $0.name == name }?.peer
    }

    /// Whether a message has left `name` for its peer.
    private func elsewhere(
        _ name: String, _ views: [String: QueueView]
    ) -> (String) -> Bool {
        guard let view = views[name] else { return { _ in false } }
        var tokens = Set(view.transfers.flatMap(\.tokens))
        if let peer = peer(of: name), let other = views[peer] {
            tokens.formUnion(other.messages.map(\.token))
        }
        return tokens.contains
    }

    /// What left a queue is under way or has arrived, once.
    private func balance(_ views: [String: QueueView]) throws {
        for (name, view) in views {
            guard let peer = peer(of: name), let other = views[peer] else { continue }
            let taken = other.isThere ? other.taken : tracks[peer]?.current.taken
            let last = taken?[view.origin] ?? 0
            let underWay = Set(view.transfers.filter { $0.number > last }.flatMap(\.tokens))
            guard var queue = tracks[name]?.current, let taker = tracks[peer]?.current else {
                continue
            }
            queue.underWay = underWay
            tracks[name]?.replaceCurrent(queue)
            for token in Set(queue.departed.keys).union(taker.arrived.keys).union(underWay) {
                let departed = queue.departed[token] ?? 0
                let arrived = (taker.arrived[token] ?? 0) + (underWay.contains(token) ? 1 : 0)
                guard
                    departed == arrived
                        || (queue.cancelled.contains(token) && departed == arrived + 1)
                else {
                    throw Violation(
                        "\(token) left \(name) \(departed) times, and reached \(peer) or the way "
                            + "there \(arrived) times")
                }
            }
        }
    }

    /// The power is back.
    func recover() {
        world.restorePower()
        let last = cutOff
        cutOff = nil
        let names = scenario.queues.map(\.name)
        do {
            let views = try lookAnew(names)
            let before = tracks
            for name in names {
                guard let view = views[name] else { continue }
                try tracks[name]?.recover(
                    view, last: last, isElsewhere: elsewhere(name, views),
                    hasArrived: { token in
                        peer(of: name).flatMap { before[$0] }?.hasArrived(token) ?? false
                    }
                ) { self.departures(of: $0, to: name, in: last, before) }
            }
            try balance(views)
        } catch let error as Violation {
            fail(error.text)
        } catch {
            fail("after a power cut: \(error)")
        }
    }

    /// Every record of every journal still reads well.
    func checkJournals() {
        let observer = world.observer()
        defer { observer.die() }
        do {
            for setup in scenario.queues where tracks[setup.name]?.current.isThere == true {
                _ = try observer.queues?.queue(setup.name)
                let found = try observer.queues?.verify(setup.name).problems ?? []
                if let problem = found.first { fail("verify: \(problem)") }
            }
        } catch {
            fail("verify: \(error)")
        }
    }
}
