import Testing

@testable import Services

@Suite struct DeduplicationFilterTests {
    private let hashes = (0..<20_000).map { DeduplicationIndex.hash("id \($0)") }

    private func ready(_ filter: DeduplicationFilter) {
        for hash in hashes.prefix(DeduplicationFilter.lookupsBefore) {
            #expect(filter.mayHave(hash) { [] }, "the file itself is asked")
        }
    }

    @Test("what is there is never missed, and what is not seldom found")
    func finds() {
        let filter = DeduplicationFilter()
        ready(filter)
        var reads = 0
        func mayHave(_ hash: UInt64) -> Bool {
            filter.mayHave(hash) {
                reads += 1
                return hashes
            }
        }
        for hash in hashes { #expect(mayHave(hash)) }
        let wrong = (0..<20_000).count { mayHave(DeduplicationIndex.hash("other \($0)")) }
        #expect(wrong < 200)
        #expect(reads == 1)
    }

    @Test("an empty file has nothing, a harmed one may have anything")
    func ends() {
        let empty = DeduplicationFilter()
        ready(empty)
        #expect(!empty.mayHave(7) { [] })
        let harmed = DeduplicationFilter()
        ready(harmed)
        #expect(harmed.mayHave(7) { nil })
        #expect(harmed.mayHave(7) { [] }, "it is not read again")
    }
}
