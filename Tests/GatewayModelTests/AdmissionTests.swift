import GatewayModel
import JSON
import Testing

@Suite struct AdmissionTests {
    private func time(_ milliseconds: Int64) -> Timestamp {
        Timestamp(milliseconds: 1_764_057_600_000 + milliseconds)
    }

    private func isAdmitted(
        _ admission: inout Admission, _ demands: [Admission.Demand], at milliseconds: Int64
    ) -> Bool {
        do throws(GatewayFailure) {
            try admission.admit(demands, at: time(milliseconds))
            return true
        } catch { return false }
    }

    @Test("a bucket gives its burst at once, then its rate")
    func bucket() {
        var admission = Admission()
        let demand = [Admission.Demand("stage", ThrottleSettings(rate: 10, burst: 3))]
        let times: [Int64] = [0, 0, 0, 0, 99, 100, 100, 250, 10_000, 10_000, 10_000, 10_000]
        let admitted = times.map { isAdmitted(&admission, demand, at: $0) }
        #expect(
            admitted == [
                true, true, true, false, false, true, false, true, true, true, true, false,
            ])
    }

    @Test("a clock that steps back takes nothing away, and gives nothing")
    func backwards() {
        var admission = Admission()
        let demand = [Admission.Demand("stage", ThrottleSettings(rate: 1, burst: 1))]
        #expect(isAdmitted(&admission, demand, at: 5000))
        #expect(!isAdmitted(&admission, demand, at: 0))
        #expect(isAdmitted(&admission, demand, at: 1000))
    }

    @Test("nothing is taken unless all have something")
    func allOrNothing() {
        var admission = Admission()
        let stage = Admission.Demand("stage", ThrottleSettings(rate: 1, burst: 2))
        let closed = Admission.Demand("route", ThrottleSettings(rate: 0, burst: 0))
        for _ in 0..<5 { #expect(!isAdmitted(&admission, [stage, closed], at: 0)) }
        #expect(isAdmitted(&admission, [stage], at: 0))
        #expect(isAdmitted(&admission, [stage], at: 0))
        #expect(!isAdmitted(&admission, [stage], at: 0))
    }

    @Test("other settings begin with a full bucket")
    func changed() {
        var admission = Admission()
        let before = [Admission.Demand("stage", ThrottleSettings(rate: 1, burst: 1))]
        let after = [Admission.Demand("stage", ThrottleSettings(rate: 1, burst: 2))]
        #expect(isAdmitted(&admission, before, at: 0))
        #expect(!isAdmitted(&admission, before, at: 0))
        #expect(isAdmitted(&admission, after, at: 0))
        #expect(isAdmitted(&admission, after, at: 0))
        #expect(!isAdmitted(&admission, after, at: 0))
    }

    @Test("a quota counts what was let in, over restarts, until its period ends")
    func quota() throws {
        let quota = Admission.QuotaDemand("plan/key", QuotaSettings(limit: 2, period: .day))
        var admission = Admission()
        try admission.admit([], quota: quota, at: time(0))
        var next = Admission()
        next.restore(admission.json)
        #expect(next.used(quota, at: time(0)) == 1)
        try next.admit([], quota: quota, at: time(1))
        #expect(throws: GatewayFailure.quotaExceeded) {
            try next.admit([], quota: quota, at: time(2))
        }
        let closed = Admission.Demand("stage", ThrottleSettings(rate: 0, burst: 0))
        #expect(throws: GatewayFailure.throttled) {
            try next.admit([closed], quota: quota, at: time(86_400_000))
        }
        #expect(next.used(quota, at: time(86_400_000)) == 0, "who was not let in is not counted")
        try next.admit([], quota: quota, at: time(86_400_000))
    }

    @Test("weeks begin on Sunday, and periods later by their offset")
    func windows() throws {
        func window(_ period: QuotaSettings.Period, _ date: String, _ offset: Int64 = 0) throws
            -> String
        {
            let time = try #require(Timestamp(iso8601: date))
            return QuotaSettings(limit: 1, period: period, offset: offset).window(at: time)
        }
        let saturday = "2026-11-28T23:59:59Z"
        let sunday = "2026-11-29T00:00:00Z"
        let monday = "2026-11-30T00:00:00Z"
        #expect(try window(.week, saturday) != (try window(.week, sunday)))
        #expect(try window(.week, sunday) == (try window(.week, monday)))
        #expect(try window(.week, sunday, 1) != (try window(.week, monday, 1)))
        #expect(try window(.month, monday) == "2026-11")
        #expect(try window(.month, "2026-12-03T00:00:00Z", 4) == "2026-11")
        #expect(try window(.day, saturday) == "2026-11-28")
    }
}
