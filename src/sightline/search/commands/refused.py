"""The commands that Splunk documents and that do not run here: why not, and what to use instead.

A search that names one is refused with these words, so that a documented command is never called unknown. A command that
begins to run here leaves this table.
"""

from __future__ import annotations

from sightline.search.registry import refuse

_PROGRAM = "it starts a program on the server, and a search here starts none"
_SERVICE = "it talks to a service outside, and a search here reads what is stored"
_PREMIUM = "it belongs to a premium app and reads that app's own store"
_SPLUNK_FILES = "it works on the files of a Splunk installation, which are not there"

refuse(
    "script", "run", "runshellscript",
    reason=_PROGRAM,
    instead="run the program outside, send what it prints with sightline load or to the HTTP event collector, and search that",
)  # fmt: skip
refuse(
    "crawl", "input",
    reason="it looks for files to index on the server, and inputs are not set up by a search",
    instead="send files with sightline load, or events to the HTTP event collector or an OpenTelemetry receiver",
)  # fmt: skip
refuse(
    "file",
    reason="it reads any file of the server, which would hand out every secret that the server can read",
    instead="sightline load puts a file into an index",
)
refuse(
    "dump",
    reason="it writes files on the server, which a search here does not do",
    instead="outputcsv or outputlookup keep rows by name; the page's export and sightline search --format write files",
)
refuse(
    "createrss",
    reason="it writes a feed into a file of the server",
    instead="make an alert with a webhook or any channel that apprise knows",
)
refuse(
    "dispatch", "copyresults", "prjob",
    reason="it starts or copies search jobs from within a search",
    instead="loadjob reads the rows of a job, savedsearch runs a saved search, and the API starts jobs",
)  # fmt: skip
refuse(
    "awssnsalert",
    reason=_SERVICE,
    instead="make an alert with an apprise action: apprise knows sns:// addresses",
)
refuse(
    "snowevent", "snoweventstream", "snowincident", "snowincidentstream",
    reason=_SERVICE,
    instead="make an alert with a webhook that posts to ServiceNow",
)  # fmt: skip
refuse(
    "dbxquery", "dbxlookup", "dbxoutput",
    reason="it runs SQL in another database",
    instead="export the table as CSV and keep it with sightline load or as a lookup",
)  # fmt: skip
refuse(
    "ldapsearch", "ldapfetch", "ldapfilter", "ldapgroup", "ldaptestconnection",
    reason="it asks a directory server",
    instead="export the directory as CSV and keep it as a lookup",
)  # fmt: skip
refuse(
    "sdselect",
    reason="it reads tables of a federated store such as Amazon S3",
    instead="load the files into an index with sightline load, which reads Parquet, CSV and JSON lines",
)
refuse(
    "ai",
    reason="it sends rows to a language model outside",
    instead="call the model from a program over the Python client; fit and apply run models here",
)
refuse(
    "inputintelligence", "entitymerge", "expandiprange", "expandtoken", "essummary", "mvrex",
    reason=_PREMIUM,
    instead="keep assets, identities or threat lists as a lookup and use lookup or inputlookup",
)  # fmt: skip
refuse(
    "getservice", "getkpi", "gethealth", "getentity", "itsirulesengine", "mad",
    reason=_PREMIUM,
    instead="keep services and entities as a lookup; alerts and anomalydetection judge values",
)  # fmt: skip
refuse(
    "xsaggregatecontext", "xsapplyfieldrule", "xscreateadcontext", "xscreateaddcontext", "xscreateudcontext",
    "xsdeletecontext", "xsdisplaycontext", "xsdisplayconcept", "xsfindbestconcept", "xsfindmembership", "xslistconcepts",
    "xslistcontexts", "xsupdateddcontext", "xscreateddcontext", "xswhere", "xsdiscovertrend", "xsgetwherecix",
    reason="it belongs to Extreme Search, whose contexts are kept in its own store",
    instead="fit DensityFunction learns what is usual, and apply marks what is not",
)  # fmt: skip
refuse(
    "collapse",
    reason="it is one of the helpers of Splunk's own pages",
    instead="cluster groups similar events",
)
refuse(
    "rtorder",
    reason="it orders the events of real-time searches, which are not run here",
    instead="sort orders rows; a schedule or a refreshed search follows new events",
)
refuse(
    "searchtxn",
    reason="it finds transactions whose types are defined in a file of a Splunk installation",
    instead="give transaction the options of the type: search ... | transaction <fields> maxspan=<span>",
)
refuse(
    "typeahead",
    reason="it answers the editor of Splunk's own page",
    instead="walklex lists indexed words, fieldsummary fields with their values",
)
refuse(
    "audit",
    reason="it checks signatures in Splunk's own audit trail",
    instead="index=_internal sourcetype=sightline:audit tells who searched what",
)
refuse(
    "internalinputcsv", "outputraw", "datamodelsimple", "summarize",
    reason=_SPLUNK_FILES,
    instead="inputcsv and inputlookup read tables, collect writes a summary, datamodel tells a data model",
)  # fmt: skip
