import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Scanner;
import java.util.concurrent.Executors;
import java.util.regex.Pattern;

/** Plays the kit's commands with the class of docs/other-languages.md; the argument names the local reader. */
public class Client {
    static volatile long now;

    public static void main(String[] arguments) throws Exception {
        var talend = new Talend(arguments[0].equals("provider"), Client::renew);
        talend.now = () -> now;
        var pool = Executors.newFixedThreadPool(100);
        for (var lines = new Scanner(System.in); lines.hasNextLine(); ) {
            var line = lines.nextLine();
            now = (long) Double.parseDouble(member(line, "now"));
            pool.submit(() -> System.out.println("{\"id\": " + member(line, "id") + ", " + fetch(talend, line) + "}"));
        }
        pool.shutdown();
    }

    static String fetch(Talend talend, String line) {
        try {
            var body = member(line, "body");
            var publisher = body.equals("null") ? BodyPublishers.noBody() : BodyPublishers.ofString(body);
            var request = HttpRequest.newBuilder(URI.create(member(line, "url"))).method(member(line, "method"), publisher);
            return "\"status\": " + talend.send(request).statusCode();
        } catch (Exception error) {
            return "\"error\": \"" + error.toString().replace("\"", "'") + "\"";
        }
    }

    /** Does what the SDK does, without a signature. */
    static String renew(String event) {
        var uri = URI.create(System.getenv("AWS_ENDPOINT_URL") + "/2015-03-31/functions/renew/invocations");
        var request = HttpRequest.newBuilder(uri).POST(BodyPublishers.ofString(event)).build();
        try {
            return HttpClient.newHttpClient().send(request, BodyHandlers.ofString()).body();
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    static String member(String json, String name) {
        var found = Pattern.compile("\"" + name + "\": \"?([^\",}]+)").matcher(json);
        return found.find() ? found.group(1) : "null";
    }
}
