import Commands
import Posix

@main
struct Main {
    static func main() {
        ProcessEnvironment.exit(
            CommandLineTool.run(
                Array(CommandLine.arguments.dropFirst()),
                areReadable: ProcessEnvironment.argumentsAreUTF8))
    }
}
