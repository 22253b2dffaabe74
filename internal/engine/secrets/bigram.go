package secrets

// bigrams holds, for each pair of letters, how surprising the second is after
// the first, in eighths of a bit above '#': 26 letters and, as the 27th, the edge
// of a word. Counted over 58,581 words of identifiers, comments and documentation
// in the sources of Go 1.26.8, Python 3 and the Go modules of a developer's
// machine (400 MB), each word weighted by its files to the power of 0.75.
const bigrams = "" +
	"WGAFaYMkJsV;G?uIq<C9SS][UgI" +
	"=NGQ>VagAPi9Y]AUkGEX@gilMg=" +
	"=^MV=[_?I{CFWb7]mIQ=K`isYx@" +
	"FWYK5W]j;imO_]FamOIYMbeh[y/" +
	"I]E?QOUh]ykIL>`OY:=EeS[J`u7" +
	"AWPOA=[i6qqEYV=XsFMMGmgkRv;" +
	"IeYa7aQGC{oMWIH]uCGWJcfqgi/" +
	"7a_X5eid=ueUT];crJUFOnguUo7" +
	"LPCHKMIuiseEG3?NpKB?qMyW}PQ" +
	"?YTW7XVYI_M[YY;OkY?W;aT_[a9" +
	"G_YU3]Q[=kiK]KUZfW@USeOfYm1" +
	"?a[K6[ci9xe?ea=[yaJKM]ixCq:" +
	"7LaY5cio?z_TK`@;wcJVImkq[u=" +
	"CcDA?Q;eGoWWaTG]qc@9RSkt`u9" +
	"UQEE^TQlToTEC5KFy9GGCMIakoG" +
	";gUW:]bRF}a?`e?Eo:KDMkcsM}=" +
	"O[[UW[_[ZniJWYc[SMM_*_[a_c7" +
	"=_PO4YSl?}WUMQAZyMEFQ[awO}8" +
	"NiK^;_cKA|[U[_KKdaE:Gk^qSw0" +
	"@eS[7[lD9}mS\\dEWyAFMOi_hNl7" +
	"IEIPGQOsG{m?D9WC|=?<kmsbvoP" +
	"8[U[-V_b;uq[V_JMe^S[a]]bji?" +
	"9]YS>\\cC:qiR]E?_l@E[deW_ur9" +
	"EOBO>IfYAmjWP_V;gXT:]acGQe5" +
	"WZS[Na[iMsmSIISAwWCFf^Vgb[*" +
	"?]WW-[_Y@ifYX]C`g\\WY_c[URM9" +
	"AH?CEGLOE_YIFKLC_C=ELRMWcc}"
